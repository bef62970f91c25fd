"""Dial strings, races of several legs, and what the switch refuses."""

from __future__ import annotations

import asyncio

import pytest

from labswitch.config import Config, User
from labswitch.originate import Target, parse, variables_of
from labswitch.virtual import VirtualParty
from tests.unit.labswitch_core.stage import Stage, run, talks


def test_a_dial_string_is_taken_apart() -> None:
    dial = parse("{a=1,b='x,y',c=p\\,q}[d=4]sofia/internal/x@h,sofia/gateway/g/1|{e=5}sofia/internal/y%dom")
    assert dial.variables == {"a": "1", "b": "x,y", "c": "p,q"}
    assert dial.groups == (
        (Target("sofia/internal/x@h", {"d": "4"}), Target("sofia/gateway/g/1", {})),
        (Target("sofia/internal/y%dom", {"e": "5"}),),
    )


def test_another_delimiter_in_braces() -> None:
    assert variables_of("^^;a=1,2;b=3") == {"a": "1,2", "b": "3"}
    assert parse("{^^:a=1:b=2,3}sofia/internal/x").variables == {"a": "1", "b": "2,3"}


def rings(answer_ms: int) -> VirtualParty:
    """Rings, and answers after a while."""
    return VirtualParty([("after_ms", 5), ("ring",), ("after_ms", answer_ms), ("answer",)])


def test_the_first_to_answer_wins_and_the_others_are_let_go() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        legs = "[origination_uuid=slow]sofia/internal/slow@h,[origination_uuid=fast]sofia/internal/fast@h"
        answer = await control.ask(f"api originate {legs} &park()")
        assert answer.body == "+OK fast\n"
        gone = await stage.over(control, "slow")
        assert (gone.value("Hangup-Cause"), gone.value("variable_sip_hangup_disposition")) == (
            "LOSE_RACE",
            "send_cancel",
        )

    run(test, parties={"slow": lambda: rings(900), "fast": lambda: rings(300)})


def test_the_next_group_is_tried_when_the_first_fails() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        legs = "{originate_timeout=2}sofia/internal/never@h|sofia/internal/fast@h"
        answer = await control.ask(f"api originate {legs} &park()")
        assert answer.body.startswith("+OK ")
        never = await control.event("CHANNEL_HANGUP")
        assert never.value("Hangup-Cause") == "NO_ANSWER"
        assert [target for target, _, _ in stage.legs.called] == ["sofia/internal/never@h", "sofia/internal/fast@h"]

    run(test, parties={"never": lambda: VirtualParty([("ring",)]), "fast": lambda: rings(100)})


def test_a_ringing_leg_is_cancelled() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        await control.ask("bgapi originate {origination_uuid=r}sofia/internal/never@h &park()\nJob-UUID: j")
        await control.event("CHANNEL_PROGRESS")
        assert (await control.ask("api uuid_kill r ORIGINATOR_CANCEL")).body == "+OK\n"
        assert (await control.event("BACKGROUND_JOB", Job_UUID="j")).body == "-ERR ORIGINATOR_CANCEL\n"
        assert stage.legs.called[0][2].end is not None

    run(test, parties={"never": lambda: VirtualParty([("after_ms", 5), ("ring",)])})


def test_the_number_that_an_originate_shows() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        await control.ask("api originate sofia/internal/busy@h &park() XML public Boss 333")
        await control.ask("api originate sofia/internal/busy@h &park()")
        assert [number for _, number, _ in stage.legs.called][-2:] == ["333", "0000000000"]

    run(test, parties={"busy": lambda: VirtualParty([("after_ms", 5), ("refuse", "USER_BUSY")])})


@pytest.mark.parametrize(
    ("given", "shown"),
    [("", "+420601234567"), ("effective", "111"), ("origination", "222")],
)
def test_the_number_that_a_bridge_shows(given: str, shown: str) -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        if given == "effective":
            engine.execute("set", "effective_caller_id_number=111", lock=True)
        variables = "{origination_caller_id_number=222}" if given == "origination" else ""
        engine.execute("bridge", f"{variables}sofia/internal/agent@h", "b", lock=True)
        await engine.event("CHANNEL_BRIDGE")
        assert stage.legs.called[0][1] == shown

    run(test, parties={"agent": talks()})


def test_a_user_of_the_directory_is_called_where_he_registered() -> None:
    async def test(stage: Stage) -> None:
        params = {"dial-string": "anything"}
        stage.switch.config = Config(
            directory=stage.switch.config.directory,
            users=(User("alice", "lab", params=params), User("bare", "lab")),
            contexts=stage.switch.config.contexts,
        )
        control = await stage.control()
        await control.ask("api originate user/alice@lab &park()")
        assert stage.legs.called[0][0] == "sofia/internal/alice%lab"
        assert (await control.ask("api originate user/alice@other &park()")).body == "-ERR SUBSCRIBER_ABSENT\n"
        assert (await control.ask("api originate user/bare@lab &park()")).body == "-ERR MANDATORY_IE_MISSING\n"

    run(test, parties={"alice": talks()})


def test_an_answered_call_out_enters_the_dialplan() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        await control.ask("bgapi originate {origination_uuid=out}sofia/internal/agent@h 100 XML public")
        engine = await stage.take("out")
        connected = engine.frames[0]
        assert connected.value("Call-Direction") == "outbound"
        assert connected.value("Caller-Destination-Number") == "100"

    run(test, parties={"agent": talks()})


def test_the_caller_hears_ringing_and_early_media_of_the_called() -> None:
    async def test(stage: Stage) -> None:
        caller, channel = stage.ring()
        engine = await stage.take(channel.uuid)
        engine.execute("bridge", "sofia/internal/early@h", "b")
        await engine.event("CHANNEL_BRIDGE")
        assert channel.answer_state == "early"
        await engine.event("CHANNEL_ANSWER")
        assert caller.answered.is_set()
        names = [
            f.name for f in engine.frames if f.name in {"CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"}
        ]
        assert names == ["CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"]

    steps = [("after_ms", 5), ("ring",), ("after_ms", 50), ("early",), ("say_ms", 500), ("after_ms", 300), ("answer",)]
    run(test, parties={"early": lambda: VirtualParty(steps)})


def test_a_caller_who_gives_up_ends_the_call_to_the_agent() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, _, engine = await stage.call(("wait_answer",), ("after_ms", 500), ("hangup",))
        engine.execute("bridge", "sofia/internal/never@h", "b")
        gone = await control.event("CHANNEL_HANGUP", Call_Direction="outbound")
        assert gone.value("Hangup-Cause") == "ORIGINATOR_CANCEL"

    run(test, parties={"never": lambda: VirtualParty([("ring",)])})


def test_the_switch_refuses_when_it_is_full_paused_or_too_fast() -> None:
    async def test(stage: Stage) -> None:
        config = stage.switch.config
        stage.switch.config = Config(
            config.directory, contexts=config.contexts, max_sessions=2, sessions_per_second=100
        )
        stage.ring()
        stage.ring()
        third = VirtualParty()
        assert third.call(stage.switch) is None
        assert third.end is not None
        assert third.end.cause == "SWITCH_CONGESTION"
        for channel in tuple(stage.switch.channels.values()):
            channel.hangup("NORMAL_CLEARING")
        await asyncio.sleep(30)
        stage.switch.paused = True
        assert VirtualParty().call(stage.switch) is None
        stage.switch.paused = False
        stage.switch.config = Config(config.directory, contexts=config.contexts, sessions_per_second=1)
        stage.ring()
        assert VirtualParty().call(stage.switch) is None

    run(test)


def test_a_number_that_nobody_takes() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, channel = stage.ring(to="404")
        ended = await stage.over(control, channel.uuid)
        assert ended.value("Hangup-Cause") == "NO_ROUTE_DESTINATION"
        assert ended.value("variable_hangup_cause_q850") == "3"

    run(test)
