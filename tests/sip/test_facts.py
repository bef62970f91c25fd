"""What flows look up while a call goes on: the notice as it is now, the caller among the contacts. On either switch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from callwright.client import path
from callwright.local.provision import provision
from labswitch.phone_call import PhoneCall
from tests.sip.conftest import WITHIN_S, System, listens_to_the_welcome, nodes

NUMBER = "+420221234573"
NOTICE_HZ = 700
GOLD_HZ = 500
TONE_S = 1.0
LATE_S = 30.0
"""Until a record that waited for PostgreSQL has arrived."""


def flow() -> dict[str, Any]:
    """Key 1: the notice, then the caller is looked up; customers of the tariff gold hear a tone of their own."""
    lookup = {"type": "lookup", "variables": {"tariff": "tariff"}}
    return {
        "schema": "callwright/flow/1",
        "id": "facts",
        "name": "What is known of the caller",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "variables": {"tariff": {"type": "string", "default": ""}},
        "prompts": {"short": {"en": "general/en/thank-you.wav"}, "gold": {"en": "facts/gold.wav"}},
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "menu"}},
            "menu": {
                "type": "menu",
                "prompts": ["short"],
                "keys": {"1": "go"},
                "timeout_ms": 20_000,
                "attempts": 1,
                "exits": {"go": "notice", "no_input": "hangup", "invalid": "hangup"},
            },
            "notice": {"type": "notice", "notice": "facts", "exits": {"active": "lookup", "inactive": "quiet"}},
            "quiet": {"type": "wait", "wait_ms": 500, "exits": {"done": "lookup"}},
            "lookup": lookup | {"exits": {"one": "which", "many": "many", "none": "unknown", "error": "error"}},
            "which": {
                "type": "branch",
                "cases": [{"when": "tariff == 'gold'", "exit": "gold"}],
                "exits": {"gold": "gold", "default": "usual"},
            },
            "gold": {"type": "play", "prompts": ["gold"], "exits": {"done": "hangup", "error": "hangup"}},
            **{
                each: {"type": "play", "prompts": ["short"], "exits": {"done": "hangup", "error": "hangup"}}
                for each in ("usual", "many", "unknown", "error")
            },
            "hangup": {"type": "hangup"},
        },
    }


def tone(prompts_dir: Path, name: str, hz: float) -> str:
    """A sound file of that tone, by its path below the prompts directory."""
    sound = prompts_dir / "facts" / f"{name}.wav"
    sound.parent.mkdir(parents=True, exist_ok=True)
    moments = np.arange(TONE_S * 8000) / 8000
    soundfile.write(sound, 0.3 * np.sin(2 * np.pi * hz * moments), 8000, subtype="PCM_16")
    return f"facts/{name}.wav"


@pytest.fixture
def facts(system: System) -> Iterator[System]:
    """The flow, and the notice that it names, switched off."""
    prompts_dir = system.stack.config.engine.prompts_dir
    tone(prompts_dir, "gold", GOLD_HZ)
    sounds = {"en": tone(prompts_dir, "notice", NOTICE_HZ)}
    system.api.put("/notices/facts", {"name": "Outage", "sounds": sounds, "active": False})
    provision(system.api, (), NUMBER, flow=flow(), language="en")
    yield system
    system.api.post("/notices/facts/off", {})


def switched(system: System, how: str) -> None:
    """Switches the notice `on` or `off`, and waits until the engines know."""
    system.api.post(f"/notices/facts/{how}", {})
    copies = [system.stack.state_dir / f"engine-{n + 1}" / "routing.json" for n in range(len(system.stack.engines))]

    def known() -> bool:
        notices = [json.loads(copy.read_bytes())["notices"] for copy in copies]
        return all(each["active"] == (how == "on") for there in notices for each in there if each["id"] == "facts")

    system.wait_until(f"the engines know that the notice is {how}", known)


def calls(system: System, caller: str) -> PhoneCall:
    """Calls, and hears the beginning of the menu."""
    call = system.call(NUMBER, caller)
    listens_to_the_welcome(call)
    return call


@pytest.mark.req("R24")
def test_the_notice_is_heard_only_while_it_is_on(facts: System) -> None:
    early, during, after = (facts.new_caller() for _ in range(3))
    held = calls(facts, early)
    switched(facts, "on")
    held.press("1")  # this call came while the notice was off
    held.wait_heard_tone(NOTICE_HZ, WITHIN_S)
    other = calls(facts, during)
    other.press("1")
    other.wait_heard_tone(NOTICE_HZ, WITHIN_S)
    last = calls(facts, after)
    switched(facts, "off")
    last.press("1")
    for call in (held, other, last):
        call.wait_ended(WITHIN_S)
    assert [call.tone_level(NOTICE_HZ) > 0.05 for call in (held, other, last)] == [True, True, False]
    told = ["answer", "menu", "notice", "lookup", "unknown", "hangup"]
    quiet = ["answer", "menu", "notice", "quiet", "lookup", "unknown", "hangup"]
    assert [nodes(facts.record(caller)) for caller in (early, during, after)] == [told, told, quiet]


@pytest.mark.req("R110", "R111")
def test_a_field_of_the_contact_decides_the_way(facts: System) -> None:
    gold, usual, shared, unknown = (facts.new_caller() for _ in range(4))
    rows = [
        {"key": "facts-1", "name": "Jan", "numbers": [gold], "fields": {"tariff": "gold"}},
        {"key": "facts-2", "name": "Eva", "numbers": [usual]},
        {"key": "facts-3", "name": "Petr", "numbers": [shared]},
        {"key": "facts-4", "name": "Pavla", "numbers": [shared]},
    ]
    assert facts.api.post("/contacts/batch", rows)["refused"] == []
    expected = {gold: "gold", usual: "usual", shared: "many", unknown: "unknown"}
    up = {caller: facts.call(NUMBER, caller) for caller in expected}
    for call in up.values():
        listens_to_the_welcome(call)
        call.press("1")
    up[gold].wait_heard_tone(GOLD_HZ, WITHIN_S)
    for caller, node in expected.items():
        up[caller].wait_ended(WITHIN_S)
        assert nodes(facts.record(caller))[-2:] == [node, "hangup"]


@pytest.mark.req("R111", "R124")
def test_the_call_goes_on_while_postgresql_is_away(facts: System) -> None:
    caller = facts.new_caller()
    facts.api.put(path("contacts", "facts-5"), {"numbers": [caller]})
    call = calls(facts, caller)
    facts.stack.stop_service("postgres")
    try:
        call.press("1")
        call.wait_ended(WITHIN_S)
    finally:
        facts.stack.start_service("postgres")
    assert nodes(facts.record(caller, within_s=LATE_S))[-3:] == ["lookup", "error", "hangup"]
