"""Who gets the call back after a bridge, with the engine alive and dead: FreeSWITCH's rules, as measured."""

from __future__ import annotations

import asyncio

import pytest

from labswitch.bridge import uuid_bridge
from labswitch.virtual import VirtualParty
from tests.unit.labswitch_core.stage import Stage, executed, run, talks

HANGS_UP = {"agent": talks(("after_ms", 800), ("hangup",))}
STAYS = {"agent": talks(), "other": talks()}


async def bridged(stage: Stage, variables: str = "hangup_after_bridge=false"):
    """A member bridged with an agent by `uuid_bridge`."""
    control = await stage.control()
    caller, member, engine = await stage.call()
    engine.execute("multiset", f"^^;{variables}", "variables")
    await engine.completed("variables")
    agent = await stage.agent(control)
    assert (await control.ask(f"api uuid_bridge {member.uuid} agent")).body == "+OK agent\n"
    await control.event("CHANNEL_BRIDGE")
    return control, caller, member, engine, agent


@pytest.mark.parametrize("engine_lives", [True, False])
def test_nothing_set_goes_on_after_the_socket(engine_lives: bool) -> None:
    async def test(stage: Stage) -> None:
        _, _, member, engine, _ = await bridged(stage)
        if not engine_lives:
            await engine.close()
        second = await stage.take(member.uuid)
        assert member.get("after") == "socket"
        assert member.get("last_bridge_to") == "agent"
        await second.close()

    run(test, parties=HANGS_UP)


@pytest.mark.parametrize("engine_lives", [True, False])
def test_transfer_after_bridge_opens_a_new_socket_from_the_entry(engine_lives: bool) -> None:
    async def test(stage: Stage) -> None:
        variables = "hangup_after_bridge=false;transfer_after_bridge=back:XML:public"
        control, _, member, engine, _ = await bridged(stage, variables)
        if not engine_lives:
            await engine.close()
        ended = await control.event("CHANNEL_HANGUP", Unique_ID="agent")
        second = await stage.take(member.uuid)
        connected = second.frames[0]
        assert connected.value("variable_cw_attempt") == "1"
        assert connected.value("variable_last_bridge_hangup_cause") == "NORMAL_CLEARING"
        assert connected.value("variable_transfer_after_bridge") == ""
        assert connected.at_s - ended.at_s < 0.1

    run(test, parties=HANGS_UP)


def test_park_after_bridge_keeps_the_socket() -> None:
    async def test(stage: Stage) -> None:
        _, _, _, engine, _ = await bridged(stage, "hangup_after_bridge=false;park_after_bridge=true")
        await engine.event("CHANNEL_PARK", Channel_State="CS_PARK")
        engine.execute("set", "here=1", "still")
        await engine.completed("still")

    run(test, parties=HANGS_UP)


def test_park_after_bridge_without_an_engine_is_silence_until_somebody_fetches_the_caller() -> None:
    async def test(stage: Stage) -> None:
        control, _, member, engine, _ = await bridged(stage, "hangup_after_bridge=false;park_after_bridge=true")
        await engine.close()
        await control.event("CHANNEL_PARK", Channel_State="CS_PARK")
        await asyncio.sleep(60)
        assert member.up
        assert (await control.ask(f"api uuid_transfer {member.uuid} back XML public")).body == "+OK\n"
        await stage.take(member.uuid)

    run(test, parties=HANGS_UP)


def test_hangup_after_bridge_ends_the_call_with_the_cause() -> None:
    async def test(stage: Stage) -> None:
        control, caller, member, _, _ = await bridged(stage, "hangup_after_bridge=true")
        ended = await stage.over(control, member.uuid)
        assert ended.value("Hangup-Cause") == "NORMAL_CLEARING"
        assert ended.value("variable_sip_hangup_disposition") == "send_bye"
        assert caller.end is not None

    run(test, parties=HANGS_UP)


def test_a_second_agent_takes_the_member_and_the_first_is_let_go() -> None:
    async def test(stage: Stage) -> None:
        control, _, member, _, _ = await bridged(stage)
        await stage.agent(control, "other", "other")
        await control.ask(f"api uuid_bridge {member.uuid} other")
        gone = await stage.over(control, "agent")
        assert gone.value("Hangup-Cause") == "NORMAL_CLEARING"
        await control.event("CHANNEL_BRIDGE", Bridge_B_Unique_ID="other")
        assert member.get("bridge_uuid") == "other"

    run(test, parties=STAYS)


def test_an_agent_with_park_after_bridge_waits_for_what_comes_next() -> None:
    async def test(stage: Stage) -> None:
        control, _, member, _, agent = await bridged(stage)
        await control.ask("api uuid_setvar agent park_after_bridge true")
        await stage.agent(control, "other", "other")
        await control.ask(f"api uuid_bridge {member.uuid} other")
        await control.event("CHANNEL_PARK", Unique_ID="agent", Channel_State="CS_PARK")
        assert agent.up

    run(test, parties=STAYS)


def test_the_conversation_survives_its_engine_when_it_was_bridged_by_the_application() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        caller, member, engine = await stage.call(("wait_answer",), ("after_ms", 100), ("say_ms", 5000))
        engine.execute("bridge", "sofia/internal/agent@127.0.0.1", "bridge")
        await control.event("CHANNEL_BRIDGE")
        await engine.close()
        await control.event("CHANNEL_UNBRIDGE")
        assert any(frame.strip(b"\0") for frame in stage.legs.called[0][2].heard)
        await stage.take(member.uuid)
        assert member.get("after") == "socket"
        assert caller.end is None

    run(test, parties=HANGS_UP)


def test_the_application_completes_on_the_same_socket() -> None:
    async def test(stage: Stage) -> None:
        _, _, engine = await stage.call()
        engine.execute("bridge", "sofia/internal/agent@127.0.0.1", "bridge")
        done = await engine.completed("bridge")
        assert done.value("variable_originate_disposition") == "SUCCESS"
        assert done.value("Answer-State") == "answered"

    run(test, parties=HANGS_UP)


@pytest.mark.parametrize(("delay_s", "cause"), [(0, None), (0.01, "ORIGINATOR_CANCEL")])
def test_a_peer_that_leaves_before_the_bridge_stands(delay_s: float, cause: str | None) -> None:
    """Gone already, it counts as one that left after the bridge. Later, until CHANNEL_BRIDGE, the member is hung up."""

    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, engine = await stage.call()
        engine.execute("set", "transfer_after_bridge=back:XML:public", "variables")
        await engine.completed("variables")
        agent = await stage.agent(control)
        assert uuid_bridge(member, agent)
        if delay_s:
            await asyncio.sleep(delay_s)
        agent.hangup("NORMAL_CLEARING")
        if cause is None:
            await stage.take(member.uuid)
        else:
            assert (await stage.over(control, member.uuid)).value("Hangup-Cause") == cause

    run(test, parties=STAYS)


@pytest.mark.parametrize(("variable", "state"), [("continue", "after the socket"), ("park", "CS_PARK")])
def test_what_saves_the_member_in_that_moment(variable: str, state: str) -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, engine = await stage.call()
        engine.execute("set", f"uuid_bridge_{variable}_on_cancel=true", "variables")
        await engine.completed("variables")
        agent = await stage.agent(control)
        assert uuid_bridge(member, agent)
        await asyncio.sleep(0.01)
        agent.hangup("NORMAL_CLEARING")
        if state == "CS_PARK":
            await control.event("CHANNEL_PARK", Unique_ID=member.uuid, Channel_State=state)
        else:
            await stage.take(member.uuid)
            assert member.get("after") == "socket"

    run(test, parties=STAYS)


def test_socket_resume_tears_the_conversation_down() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control()
        _, member, engine = await stage.call()
        engine.execute("set", "socket_resume=true", "resume")
        await engine.completed("resume")
        engine.execute("bridge", "sofia/internal/agent@127.0.0.1")
        await control.event("CHANNEL_BRIDGE")
        await engine.close()
        await stage.over(control, stage.switch.channels[member.get("bridge_uuid") or ""].uuid)
        await stage.take(member.uuid)

    run(test, parties=STAYS)


def test_intercept_puts_a_supervisor_in_the_agents_place() -> None:
    async def test(stage: Stage) -> None:
        control, _, member, _, _ = await bridged(stage)
        await control.ask(
            f"bgapi originate {{origination_uuid=boss}}sofia/internal/other@127.0.0.1 &intercept({member.uuid})"
        )
        await stage.over(control, "agent")
        await control.event("CHANNEL_BRIDGE", Bridge_A_Unique_ID=member.uuid, Bridge_B_Unique_ID="boss")
        assert "intercept" in executed(control)

    run(test, parties=STAYS)


def test_keys_go_to_the_other_side() -> None:
    async def test(stage: Stage) -> None:
        control = await stage.control("CHANNEL_BRIDGE DTMF")
        caller, _, engine = await stage.call(("wait_answer",), ("after_ms", 2000), ("press", "42#"))
        engine.execute("bridge", "sofia/internal/agent@127.0.0.1")
        await control.event("DTMF", DTMF_Digit="#")
        agent: VirtualParty = stage.legs.called[0][2]
        assert agent.keys_heard == "42#"
        assert caller.keys_heard == ""

    run(test, parties=STAYS)
