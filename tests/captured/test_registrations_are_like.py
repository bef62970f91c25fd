"""What the lab switch tells and lists of phones, beside what FreeSWITCH did (`data/control_registrations.esl`)."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from labswitch import api
from labswitch.config import User
from labswitch.leg import Registration
from labswitch.server import tell_registration
from labswitch.virtual import virtual_run
from tests.captured.conversation import Turn, conversation
from tests.captured.replay import prepare

DOMAIN = "test.example"
EVENTS = "event plain CUSTOM sofia::register sofia::unregister sofia::expire"
_OF_THE_CORE = re.compile(r"(Core|FreeSWITCH|Event-(Date|Calling|Sequence))")
_OF_THE_DIRECTORY = re.compile(
    r"sip_number_alias|sip_auth_\w+|number_alias|user_name|domain_name|user_context|effective_caller_id_name"
)
"""What FreeSWITCH adds of the user's entry in the directory; the lab switch does not."""
_CLOCK = re.compile(r"exp\([^)]*\) expsecs\(\d+\)")


def headers_of(block: str) -> dict[str, str]:
    """An event's headers in their order, without those of the core and of the directory."""
    pairs = [line.partition(": ") for line in block.strip().split("\n")]
    return {
        name: unquote(value)
        for name, _, value in pairs
        if not _OF_THE_CORE.match(name) and not _OF_THE_DIRECTORY.fullmatch(name)
    }


def events() -> list[dict[str, str]]:
    """The captured events."""
    return [headers_of(turn.body.decode()) for turn in conversation("control_registrations") if b"CUSTOM" in turn.body]


def listing(command: str) -> str:
    """The last captured answer to a command."""
    turns = conversation("control_registrations")
    answers = [_answer(turns, number) for number, turn in enumerate(turns) if turn.head.decode() == command]
    return answers[-1]


def _answer(turns: list[Turn], number: int) -> str:
    return next(turn.body.decode() for turn in turns[number:] if turn.value("Content-Type") == "api/response")


def entry_of(told: dict[str, str]) -> Registration:
    """The registration that an event was told of."""
    known = told["Event-Subclass"] == "sofia::expire"
    expires = int(told["expires"])
    return Registration(
        user=told["username"],
        contact_user=told["username"],
        address=(told["network-ip"], int(told["network-port"])),
        user_agent=told["user-agent"],
        call_id=told["call-id"],
        expires_s=600 if known else expires,
        expires_at_s=time.monotonic() + (expires - time.time() + 0.5 if known else expires),
    )


def test_the_events(tmp_path: Path) -> None:
    async def main() -> list[dict[str, str]]:
        stage = prepare(tmp_path)
        controller = await stage.control()
        await controller.ask(f"auth {stage.switch.config.esl_password}")
        await controller.ask(EVENTS)
        for told in events():
            what = told["Event-Subclass"].partition("::")[2]
            tell_registration(stage.switch, DOMAIN, told["profile-name"], what, entry_of(told))
        await controller.wait_for(lambda frame: frame.name == "CUSTOM", count=len(events()))
        await stage.close()
        blocks = ["\n".join(f"{name}: {value}" for name, value in f.event.items()) for f in controller.frames if f.name]
        return [headers_of(block) for block in blocks]

    lab = virtual_run(main())
    assert [told["Event-Subclass"].partition("::")[2] for told in lab] == [
        *("register", "register", "register", "unregister", "expire")
    ]
    for one, other in zip(lab, events(), strict=True):
        assert list(one.items()) == list(other.items())


@pytest.mark.parametrize(
    ("asked", "registered"),
    [
        ("reg", ("petr",)),
        (f"user jana@{DOMAIN}", ()),
        (f"user petr@{DOMAIN}", ()),
    ],
)
def test_the_lists(tmp_path: Path, asked: str, registered: tuple[str, ...]) -> None:
    command = f"api sofia xmlstatus profile internal {asked}"
    assert listed(tmp_path, command, registered) == _CLOCK.sub("exp", listing(command))


def test_a_user_is_listed_by_himself(tmp_path: Path) -> None:
    turns = conversation("control_registrations")
    command = f"api sofia xmlstatus profile internal user jana@{DOMAIN}"
    first = next(number for number, turn in enumerate(turns) if turn.head.decode() == command)
    assert listed(tmp_path, command, ("jana", "petr")) == _CLOCK.sub("exp", _answer(turns, first))


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    command = "api sofia xmlstatus profile nosuch reg"
    assert listed(tmp_path, command, ()) == listing(command)


def listed(tmp_path: Path, command: str, registered: tuple[str, ...]) -> str:
    """The lab switch's answer to a command while these users of the capture are registered."""
    entries = {told["username"]: entry_of(told) for told in events()[:2] if told["username"] in registered}

    async def main() -> str | None:
        stage = prepare(tmp_path)
        switch, users = stage.switch, tuple(User(name, DOMAIN) for name in ("jana", "petr"))
        switch.config = replace(switch.config, users=users, switch_name="switch-1")
        switch.registrations = lambda profile: entries
        name, _, arguments = command.removeprefix("api ").partition(" ")
        answer = await api.run(switch, name, arguments)
        await stage.close()
        return answer

    answer = virtual_run(main())
    assert answer is not None
    return _CLOCK.sub("exp", answer)
