"""The lab switch against conversations with a real FreeSWITCH: see `replay` and `likeness`."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from labswitch.controller import Controller
from labswitch.virtual import Behaviour, VirtualParty, virtual_run
from tests.captured.conversation import DATA, Turn, conversation
from tests.captured.likeness import Names, Said, differences, of_capture, of_lab
from tests.captured.replay import SRV, Stage, play_engine, prepare
from tests.captured.sip_exchange import SIP

Script = tuple[tuple[object, ...], ...]
Tolerated = frozenset[tuple[str, str]]


def member_of(turns: list[Turn]) -> str:
    """The identity of the channel whose socket was captured."""
    return turns[0].value("Unique-ID") or turns[1].value("Unique-ID")


def called_in(turns: list[Turn]) -> str:
    """The number that the captured caller called."""
    return turns[1].value("Caller-Destination-Number")


def same(real: list[Said], lab: list[Said], tolerated: Tolerated = frozenset()) -> None:
    """Demand likeness, and list what is unlike."""
    found = differences(real, lab, tolerated)
    assert not found, "\n".join(found)


async def play_outbound(
    stage: Stage, turns: list[Turn], script: Script, until_s: float = 1e9, **details: object
) -> tuple[Controller, float]:
    """One incoming call whose socket was captured, to its end."""
    stage.call(member_of(turns), script, called_in(turns), **details)
    started_s = asyncio.get_running_loop().time() - turns[0].at_s
    controller = await stage.sockets.get()
    await play_engine(stage, controller, turns, until_s)
    return controller, started_s


def compare(
    tmp_path: Path,
    name: str,
    script: Script = (),
    parties: dict | None = None,
    until_s: float = 1e9,
    said_until_s: float = 1e9,
    tolerated: Tolerated = frozenset(),
    **details: object,
) -> None:
    """Replay one captured call and demand likeness."""

    async def main() -> None:
        stage = prepare(tmp_path, parties)
        turns = conversation(name)
        controller, started_s = await play_outbound(stage, turns, script, min(until_s, said_until_s), **details)
        await controller.ended()
        lab = [s for s in of_lab(controller.frames, Names(str(tmp_path)), started_s) if s.at_s <= until_s]
        await stage.close()
        same(of_capture(turns, Names(), until_s), lab, tolerated)

    virtual_run(main())


def agent(*steps: tuple[object, ...]) -> Behaviour:
    """A called party with this script."""
    return lambda: VirtualParty(steps)


def test_menu_with_a_digit_a_missing_prompt_and_an_unknown_application(tmp_path: Path) -> None:
    compare(tmp_path, "menu_digit", (("after_ms", 885), ("press", "1")), said_until_s=6.98)


def test_the_caller_hangs_up_while_a_prompt_plays(tmp_path: Path) -> None:
    compare(tmp_path, "caller_hangs_up", (("after_ms", 1554), ("hangup",)), until_s=4)


def test_recording_and_a_bridge_that_the_caller_ends(tmp_path: Path) -> None:
    parties = {"agent1": agent(("ring",), ("after_ms", 420), ("answer",))}
    compare(tmp_path, "bridge_agent", (("after_ms", 5060), ("hangup",)), parties, until_s=6)


def test_bridges_that_fail(tmp_path: Path) -> None:
    parties = {"agent1@127.0.0.1:5090": agent(("after_ms", 5), ("refuse", "USER_BUSY"))}
    compare(tmp_path, "bridge_fail", (), parties, until_s=2)


def test_a_header_that_holds_an_escape(tmp_path: Path) -> None:
    compare(tmp_path, "header_injection", user_agent="x%0Avariable_ua: evil", headers=(("X-Note", "hello"),))


def test_recording_masks_and_nested_applications(tmp_path: Path) -> None:
    compare(tmp_path, "recording_and_mask", until_s=5)


def test_many_applications_written_at_once(tmp_path: Path) -> None:
    """The recorder left out what was written at once; it is put together from what completed."""

    async def main() -> None:
        stage = prepare(tmp_path)
        turns = conversation("pipeline")
        first = next(i for i, turn in enumerate(turns) if turn.head == b"Content-Type: command/reply\nReply-Text: +OK")
        later = next(i for i, turn in enumerate(turns) if turn.side == "engine" and b"sendmsg" in turn.head)
        at_once = [said_once(turn, turns[first].at_s) for turn in completions(turns[:later])]
        controller, started_s = await play_outbound(stage, [*turns[:first], *at_once, *turns[first:]], ())
        await controller.ended()
        lab = of_lab(controller.frames, Names(str(tmp_path)), started_s)
        await stage.close()
        same(of_capture(turns, Names()), [one for one in lab if one.at_s < 1])

    virtual_run(main())


def said_once(completed: Turn, at_s: float) -> Turn:
    """The `sendmsg` that this was the completion of."""
    lines = ["sendmsg", "call-command: execute", f"execute-app-name: {completed.value('Application')}"]
    lines += [f"Event-UUID: {completed.value('Application-UUID')}"]
    if argument := completed.value("Application-Data"):
        lines.append(f"execute-app-arg: {unquote(argument)}")
    return Turn("engine", at_s, "\n".join(lines).encode())


def test_the_engine_dies_and_the_dialplan_goes_on_after_the_prompt(tmp_path: Path) -> None:
    async def main() -> None:
        stage = prepare(tmp_path)
        watcher = await stage.control()
        await watcher.ask("auth ClueCon")
        await watcher.ask("event plain CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP")
        turns = conversation("engine_dies")
        controller, started_s = await play_outbound(stage, turns, ())
        same(of_capture(turns, Names()), of_lab(controller.frames, Names(str(tmp_path)), started_s))
        played = await watcher.event("CHANNEL_EXECUTE_COMPLETE", Application="playback")
        after = await watcher.event("CHANNEL_EXECUTE", Application="log")
        assert played.value("Application-Response") == "FILE PLAYED"
        # Measured on FreeSWITCH: a prompt of 6 s runs to its end, the next action comes 5.9 s after its beginning.
        assert 5.9 < after.at_s - started_s < 6.2
        assert after.value("variable_endpoint_disposition") == "ANSWER"
        await watcher.event("CHANNEL_HANGUP")
        await stage.close()

    virtual_run(main())


async def bridge_from_outside(stage: Stage, member: str, agent_uuid: str) -> Controller:
    """What the control connection did that was not recorded: call an agent, bridge him to the member."""
    control = await stage.control()
    await control.ask("auth ClueCon")
    await control.ask("event plain BACKGROUND_JOB CHANNEL_PARK CHANNEL_HANGUP")
    block = f"bgapi originate {{origination_uuid={agent_uuid}}}sofia/internal/agent1@127.0.0.1:5090 &park()"
    await control.ask(f"{block}\nJob-UUID: job")
    await control.event("BACKGROUND_JOB", Job_UUID="job")
    answer = await control.ask(f"api uuid_bridge {member} {agent_uuid}")
    assert answer.body == f"+OK {agent_uuid}\n"
    return control


def test_the_call_comes_back_through_the_front_door(tmp_path: Path) -> None:
    async def main() -> None:
        stage = prepare(
            tmp_path, {"agent1": agent(("ring",), ("after_ms", 60), ("answer",), ("after_ms", 1020), ("hangup",))}
        )
        turns = conversation("return_after_bridge")
        bridge = next(turn for turn in turns if turn.value("Event-Name") == "CHANNEL_BRIDGE")
        stage.call(member_of(turns), to=called_in(turns))
        started_s = asyncio.get_running_loop().time() - turns[0].at_s
        first = await stage.sockets.get()
        await play_engine(stage, first, turns, until_s=0.06)
        await asyncio.sleep(0.36)
        control = await bridge_from_outside(stage, member_of(turns), bridge.value("Bridge-B-Unique-ID"))
        second = await stage.sockets.get()
        again = await second.ask("connect")
        assert again.value("Unique-ID") == member_of(turns)
        assert again.value("variable_cw_attempt") == "1"
        for one in completions(turns)[-3:-1]:
            second.execute(
                one.value("Application"),
                unquote(one.value("Application-Data")).replace(SRV, str(tmp_path)),
                one.value("Application-UUID"),
            )
            await first.completed(one.value("Application-UUID"))
        await first.ended()
        lab = of_lab(first.frames, Names(str(tmp_path)), started_s)
        await control.close()
        await stage.close()
        same(of_capture(turns, Names()), lab)

    virtual_run(main())


def completions(turns: list[Turn]) -> list[Turn]:
    """Every completion of an application, in order."""
    return [turn for turn in turns if turn.value("Event-Name") == "CHANNEL_EXECUTE_COMPLETE"]


def test_the_socket_keeps_the_call_that_parks_after_its_bridge(tmp_path: Path) -> None:
    async def main() -> None:
        stage = prepare(
            tmp_path, {"agent1": agent(("ring",), ("after_ms", 60), ("answer",), ("after_ms", 1060), ("hangup",))}
        )
        turns = conversation("park_after_bridge")
        bridge = next(turn for turn in turns if turn.value("Event-Name") == "CHANNEL_BRIDGE")
        stage.call(member_of(turns), to=called_in(turns))
        started_s = asyncio.get_running_loop().time() - turns[0].at_s
        first = await stage.sockets.get()
        engine = asyncio.get_running_loop().create_task(play_engine(stage, first, turns))
        await asyncio.sleep(0.9)
        control = await bridge_from_outside(stage, member_of(turns), bridge.value("Bridge-B-Unique-ID"))
        await engine
        await first.ended()
        lab = of_lab(first.frames, Names(str(tmp_path)), started_s)
        await control.close()
        await stage.close()
        same(of_capture(turns, Names()), lab)

    virtual_run(main())


async def play_both(
    stage: Stage, member: str, control: str, offset_s: float, script: Script, control_until_s: float
) -> tuple[list[Controller], float]:
    """A call whose socket and whose control connection were both recorded; the call begins `offset_s` after control."""
    loop = asyncio.get_running_loop()
    watcher = await stage.control()
    started_s = loop.time()
    watching = loop.create_task(play_engine(stage, watcher, conversation(control), control_until_s))
    await asyncio.sleep(offset_s)
    first, _ = await play_outbound(stage, conversation(member), script, until_s=7, call_id="1-16212@127.0.0.1")
    await first.ended()
    await watching
    return [first, watcher], started_s


def test_a_queued_member_is_bridged_from_the_control_connection(tmp_path: Path) -> None:
    async def main() -> None:
        stage = prepare(tmp_path, {"agent1": agent(("after_ms", 10), ("ring",), ("after_ms", 405), ("answer",))})
        script = (("after_ms", 5067), ("hangup",))
        both = await play_both(
            stage, "queued_member_parked", "control_originate_and_bridge", 0.925, script, CONTROL_UNTIL_S
        )
        (member, control), started_s = both
        member_lab = of_lab(member.frames, Names(str(tmp_path)), started_s + 0.925)
        control_lab = of_lab(control.frames, Names(str(tmp_path)), started_s)
        await stage.close()
        # The captured agent was silent, and FreeSWITCH runs nothing on a leg that never sent audio: the broadcast to
        # both played on the member's only. With an agent who speaks it plays on both (tried), as it does here.
        same(
            of_capture(conversation("queued_member_parked"), Names(), 7),
            [s for s in member_lab if s.at_s < 7 and not (s.channel == "<1>" and broadcast(s))],
            LAST_APPLICATION,
        )
        same(
            of_capture(conversation("control_originate_and_bridge"), Names(), CONTROL_UNTIL_S),
            [s for s in control_lab if s.at_s < CONTROL_UNTIL_S],
            LAST_APPLICATION,
        )

    virtual_run(main())


LAST_APPLICATION = frozenset(
    (kind, f"variable_current_application{end}")
    for kind in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY")
    for end in ("", "_data")
)


def broadcast(said: Said) -> bool:
    """Whether this belongs to the playing of a sound."""
    return said.kind.startswith("PLAYBACK_") or dict(said.values).get("Application") == "playback"


CONTROL_UNTIL_S = 8.5
"""From here on the recorded control connection shows calls of other tests."""


def test_a_supervisor_listens_and_the_member_moves_to_a_second_agent(tmp_path: Path) -> None:
    async def main() -> None:
        parties = {
            name: agent(("after_ms", 5), ("ring",), ("after_ms", 400), ("answer",)) for name in ("agent1", "sup")
        }
        stage = prepare(tmp_path, parties)
        loop = asyncio.get_running_loop()
        turns = conversation("rebridge_and_record")

        async def second_engine(first: Controller) -> None:
            """The engine that takes the call back: its socket was not recorded, its applications were."""
            engine = await stage.sockets.get()
            await engine.ask("connect")
            for one in completions(turns)[-3:-1]:
                argument = unquote(one.value("Application-Data")).replace(SRV, str(tmp_path))
                engine.execute(one.value("Application"), argument, one.value("Application-UUID"))
                await first.completed(one.value("Application-UUID"))

        control = await stage.control()
        started_s = loop.time()
        watching = loop.create_task(play_engine(stage, control, conversation("control_eavesdrop_hold_rebridge")))
        await asyncio.sleep(0.33)
        first, _ = await play_outbound(stage, turns, (), until_s=1)
        await second_engine(first)
        await first.ended()
        await watching
        member_lab = of_lab(first.frames, Names(str(tmp_path)), started_s + 0.33)
        control_lab = of_lab(control.frames, Names(str(tmp_path)), started_s)
        await stage.close()
        same(of_capture(turns, Names()), member_lab)
        same(of_capture(conversation("control_eavesdrop_hold_rebridge"), Names()), control_lab)

    virtual_run(main())


def own(turns: list[Turn]) -> list[Turn]:
    """Without the channels of which the engine never spoke: calls of other tests that ended meanwhile."""
    spoken = b" ".join(turn.head for turn in turns if turn.side == "engine").decode()
    return [turn for turn in turns if turn.side == "engine" or turn.value("Unique-ID") in spoken]


def compare_control(tmp_path: Path, name: str, until_s: float) -> None:
    """Replay a control connection that needs no incoming call."""

    async def main() -> None:
        stage = prepare(tmp_path)
        control = await stage.control()
        started_s = asyncio.get_running_loop().time()
        await play_engine(stage, control, conversation(name), until_s)
        await asyncio.sleep(1)
        lab = of_lab(control.frames, Names(str(tmp_path)), started_s)
        await stage.close()
        same(of_capture(own(conversation(name)), Names(), until_s), [one for one in lab if one.at_s < until_s])

    virtual_run(main())


def test_calls_that_cannot_be_made(tmp_path: Path) -> None:
    compare_control(tmp_path, "control_originate_failures", 0.9)


def test_a_call_that_is_cancelled_when_it_is_gone_already(tmp_path: Path) -> None:
    compare_control(tmp_path, "control_cancel_ringing", 7)


def test_a_wrong_password(tmp_path: Path) -> None:
    compare_control(tmp_path, "control_wrong_password", 1)


@pytest.mark.parametrize(("directory", "files"), [(DATA, "*.esl"), (SIP, "*.sip")], ids=["event socket", "SIP"])
def test_the_captures_are_those_that_were_made(directory: Path, files: str) -> None:
    """`sha256sum -c SHA256SUMS`: none may be lost, changed or slipped in, and with it what the lab switch must do."""
    lines = (directory / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob(files)}
    assert there == {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def test_every_capture_is_compared() -> None:
    tests = (DATA.parent / name for name in (Path(__file__).name, "test_registrations_are_like.py"))
    told = {name for test in tests for name in re.findall(r'"(\w+)"', test.read_text(encoding="utf-8"))}
    assert {path.stem for path in DATA.glob("*.esl")} - told == set()
