"""No more calls at once than a number or a trunk may have; what does not fit is refused, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gevent
import pytest

from engine.domain.acd import AgentState
from engine.domain.call import CallResult
from engine.domain.journal import LegEvent
from engine.domain.routing import NumberRoute, TrunkEntry
from engine.session.limits import Taken
from engine.switch.port import Originated
from ivr_flows.flow import Flow
from ivr_flows.nodes.dial import Dial
from ivr_flows.nodes.hangup import Hangup
from tests.unit.session.bench import Bench, flow, returned
from tests.unit.session.fake_switch import FakeChannel, channel_info

NUMBER = "+420221111000"
OUTSIDE = "+420601222333"
HERE = {"sip_network_ip": "192.0.2.7"}


def dials(number: str = OUTSIDE, trunk: str | None = None) -> Flow:
    exits = ("finished", "busy", "no_answer", "rejected", "failed")
    node = Dial(number=number, trunk=trunk)
    return flow({"dial": (node, {each: each for each in exits})} | {each: (Hangup(reason=each), {}) for each in exits})


def limited(*, of_number: int | None = None, of_trunk: int | None = None, fallback: str = "", **more: Any) -> Bench:
    """A number whose calls are dialled on over the one trunk."""
    bench = Bench(more.pop("flow", None) or dials(**more))
    bench.snapshot = replace(
        bench.snapshot,
        numbers=(replace(bench.snapshot.numbers[0], max_channels=of_number, fallback=fallback),),
        trunks=(TrunkEntry("o2", "192.0.2.7:5060", max_channels=of_trunk), TrunkEntry("other", "192.0.2.8")),
    )
    return bench


def caller(call: str, **changes: Any) -> FakeChannel:
    return FakeChannel(channel_info(call, **{"variables": HERE} | changes))


def rung(bench: Bench, legs: int) -> gevent.greenlet:
    with gevent.Timeout(5):
        while len(bench.control.rung) < legs:
            gevent.sleep(0.001)


def ends(bench: Bench, channel: FakeChannel) -> None:
    """The caller hangs up, and his record is there."""
    channel.caller_hangs_up()
    with gevent.Timeout(5):
        while ("call", channel.info.uuid) not in bench.spooled:
            gevent.sleep(0.001)


def taken(bench: Bench) -> dict[str, set[str]]:
    return {line: by for line, by in bench.counts.taken.items() if by}


def refused(bench: Bench, call: str, channel: FakeChannel) -> tuple[str, str]:
    """The cause with which the call was refused, and the reason in its record."""
    bench.run(channel)
    record = bench.record(call)
    assert record.result is CallResult.OTHER_END
    assert not record.path
    assert ("answer",) not in channel.log
    return record.hangup_cause, record.reason


@pytest.mark.req("R12")
def test_without_a_limit_nobody_is_asked() -> None:
    bench = limited()
    channel = caller("a")
    bench.start(channel)
    rung(bench, 1)
    bench.services.tools.limits.keep([session.log for session in bench.services.register])
    ends(bench, channel)
    assert bench.record("a").result is CallResult.LOST_RINGING
    assert bench.counts.asked == 0


@pytest.mark.req("R12")
def test_a_number_that_is_full_is_busy_until_a_call_of_it_ends() -> None:
    bench = limited(of_number=1)
    first = caller("a")
    bench.start(first)
    rung(bench, 1)
    assert refused(bench, "b", caller("b")) == ("USER_BUSY", "number_full")
    ends(bench, first)
    bench.start(caller("c"))
    rung(bench, 2)
    assert taken(bench) == {f"number:{NUMBER}": {"c"}}


@pytest.mark.req("R12")
def test_or_another_line_takes_the_call() -> None:
    bench = limited(of_number=1, of_trunk=9, fallback=OUTSIDE)
    bench.start(caller("a"))
    rung(bench, 1)
    bench.control.outcomes.append(Originated("answered"))
    second = caller("b")
    running = bench.start(second)
    _, leg = bench.control.joined.get(timeout=5)
    assert bench.control.rung[1][0].user_or_number == OUTSIDE
    assert taken(bench)["trunk:o2"] == {"a", "b", *(each.leg for _, each in bench.control.rung)}
    bench.run(returned(second, leg))
    running.join(5)
    record = bench.record("b")
    assert (record.result, record.reason, record.flow) == (CallResult.HANDLED, "number_full", "")
    assert [(each.party, each.result) for each in record.legs] == [(OUTSIDE, "talked")]
    assert taken(bench)["trunk:o2"] == {"a", bench.control.rung[0][1].leg}


@pytest.mark.req("R12")
def test_where_the_other_line_does_not_answer_the_number_is_busy() -> None:
    bench = limited(of_number=1, fallback=OUTSIDE)
    bench.start(caller("a"))
    rung(bench, 1)
    bench.control.outcomes.append(Originated("no_answer", "NO_ANSWER"))
    bench.run(caller("b"))
    record = bench.record("b")
    assert (record.hangup_cause, record.reason) == ("USER_BUSY", "number_full")


@pytest.mark.req("R12")
def test_a_trunk_that_is_full_says_so_whatever_the_number_has() -> None:
    bench = limited(of_number=9, of_trunk=2, fallback=OUTSIDE)
    bench.start(caller("a"))
    rung(bench, 1)
    assert refused(bench, "b", caller("b")) == ("NORMAL_CIRCUIT_CONGESTION", "trunk_full")
    # Over the other trunk it may come in, and finds no way out.
    bench.run(caller("c", variables={"sip_network_ip": "192.0.2.8"}))
    assert bench.record("c").reason == "failed"
    assert taken(bench)["trunk:o2"] == {"a", bench.control.rung[0][1].leg}


@pytest.mark.req("R12")
def test_a_call_out_over_a_full_trunk_fails_and_says_why() -> None:
    bench = limited(of_trunk=1)
    bench.run(caller("a"))
    record = bench.record("a")
    assert record.reason == "failed"
    assert [(leg.party, leg.hangup_cause) for leg in record.legs] == [(OUTSIDE, "NORMAL_CIRCUIT_CONGESTION")]
    assert not bench.control.rung
    assert not taken(bench)


@pytest.mark.req("R12")
@pytest.mark.parametrize("outcome", [Originated("busy", "USER_BUSY"), Originated("failed", "NO_ROUTE_DESTINATION")])
def test_a_leg_that_nobody_answers_lets_its_trunk_go(outcome: Originated) -> None:
    bench = limited(of_trunk=2)
    bench.control.outcomes.append(outcome)
    bench.run(caller("a"))
    assert not taken(bench)


@pytest.mark.req("R13")
def test_an_emergency_call_is_neither_limited_nor_counted() -> None:
    bench = limited(of_trunk=1, number="112")
    bench.start(caller("a"))
    rung(bench, 1)
    limits = bench.services.tools.limits
    limits.keep([session.log for session in bench.services.register])
    assert taken(bench) == {"trunk:o2": {"a"}}


@pytest.mark.req("R13")
@pytest.mark.parametrize("dialled", ["112", "+112", "155"])
def test_an_agents_emergency_call_is_left_to_the_dialplan(dialled: str) -> None:
    bench = limited(of_trunk=1)
    channel = caller("a", did=dialled, profile="internal", variables={"cw_home": "agents"})
    bench.run(channel)
    assert (channel.log, channel.closed, channel.end) == ([], True, None)
    assert not bench.events("a")
    assert "a" not in bench.register


@pytest.mark.req("R12")
def test_while_redis_is_away_calls_go_on_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = limited(of_number=1, of_trunk=1)
    bench.counts.away = "gone"
    channels = [caller(name) for name in "ab"]
    for count, channel in enumerate(channels, 1):
        bench.start(channel)
        rung(bench, count)
    said = [each for each in caplog.records if "not kept for now" in each.message]
    assert len(said) == 1
    assert bench.counts.asked == 1  # nobody waits for it again and again


@pytest.mark.req("R12")
def test_what_redis_lost_is_said_again_and_what_is_over_is_not() -> None:
    bench = limited(of_number=5, of_trunk=5)
    gone = caller("a")
    bench.start(gone)
    bench.start(caller("b"))
    rung(bench, 2)
    ends(bench, gone)
    before = {line: set(by) for line, by in taken(bench).items()}
    assert before == {f"number:{NUMBER}": {"b"}, "trunk:o2": {"b", bench.control.rung[1][1].leg}}
    bench.counts.taken.clear()
    bench.services.tools.limits.keep([session.log for session in bench.services.register])
    assert taken(bench) == before


@pytest.mark.req("R12")
def test_what_could_not_be_given_back_is_given_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.limits.ASK_AGAIN_S", 0)
    bench = limited(of_number=5)
    channel = caller("a")
    bench.start(channel)
    rung(bench, 1)
    bench.counts.away = "gone"
    ends(bench, channel)
    assert taken(bench)
    bench.counts.away = ""
    bench.services.tools.limits.keep([])
    assert not taken(bench)


@pytest.mark.req("R12")
def test_a_call_that_ends_while_it_is_said_again_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = limited(of_number=5)
    bench.start(caller("a"))
    rung(bench, 1)
    calls = [session.log for session in bench.services.register]
    keep = bench.counts.keep

    def late(what: Sequence[Taken]) -> None:
        bench.services.tools.limits.settle(calls[0])
        keep(what)

    monkeypatch.setattr(bench.counts, "keep", late)
    bench.services.tools.limits.keep(calls)
    assert not taken(bench)


@pytest.mark.req("R12")
def test_what_a_dead_engine_had_is_free_when_its_call_is_closed() -> None:
    bench = limited(of_number=1, of_trunk=2)
    channel = caller("a")
    running = bench.start(channel)
    rung(bench, 1)
    gevent.kill(running)  # as if killed: it leaves everything as it is
    assert taken(bench) == {f"number:{NUMBER}": {"a"}, "trunk:o2": {"a", bench.control.rung[0][1].leg}}
    second = bench.engine("e2")
    bench.journal.living = {"e2"}
    assert bench.janitor(second).sweep() == 1
    assert not taken(bench)


@pytest.mark.req("R12")
def test_a_call_that_comes_back_to_another_engine_is_counted_once() -> None:
    bench = limited(of_number=1, of_trunk=2)
    running = bench.start(caller("a"))
    rung(bench, 1)
    gevent.kill(running)
    bench.start(caller("a", attempt=2), bench.engine("e2"))
    rung(bench, 2)
    assert taken(bench) == {f"number:{NUMBER}": {"a"}, "trunk:o2": {"a", bench.control.rung[1][1].leg}}


def test_the_journal_says_over_which_trunk_a_leg_went() -> None:
    bench = limited(trunk="other")
    bench.start(caller("a"))
    rung(bench, 1)
    (offered,) = [event for event in bench.events("a") if isinstance(event, LegEvent)]
    assert (offered.event, offered.trunk) == ("offered", "other")


TRUNKS = (
    TrunkEntry("o2", "sip.o2.example", networks=("192.0.2.0/28",)),
    TrunkEntry("other", "192.0.2.8:5070"),
    TrunkEntry("named", "sip.named.example", register=True, username="x"),
)


@pytest.mark.req("R12")
@pytest.mark.parametrize(
    ("channel", "of_number", "trunk"),
    [
        ({"variables": {"sip_network_ip": "192.0.2.3"}}, "", "o2"),
        ({"variables": {"sip_network_ip": "192.0.2.8"}}, "", ""),
        ({"variables": {"sip_network_ip": "192.0.2.8"}}, "other", "other"),
        ({"variables": {"sip_network_ip": "192.0.2.3"}}, "other", "o2"),
        ({"variables": {"sip_network_ip": "198.51.100.1"}}, "", ""),
        ({"variables": {"sip_network_ip": "198.51.100.1"}}, "named", "named"),
        ({"variables": {"sip_network_ip": "192.0.2.3", "sip_gateway": "named"}}, "", "named"),
        ({"variables": {"sip_network_ip": "192.0.2.3", "sip_gateway": "invented"}}, "", "o2"),
        ({"variables": {"sip_network_ip": "not an address"}}, "", ""),
        ({"profile": "internal", "variables": {"sip_network_ip": "192.0.2.3"}}, "o2", ""),
    ],
)
def test_the_trunk_that_a_call_came_over(channel: dict[str, Any], of_number: str, trunk: str) -> None:
    bench = Bench(dials())
    bench.snapshot = replace(
        bench.snapshot, numbers=(replace(bench.snapshot.numbers[0], trunk=of_number),), trunks=TRUNKS
    )
    assert bench.services.admission.admit(channel_info("a", **channel)).trunk == trunk


@pytest.mark.req("R12")
@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ({"variables": {"sip_network_ip": "192.0.2.3"}}, "no_route"),
        ({"variables": {"sip_network_ip": "198.51.100.1"}}, "failed"),
        ({"profile": "internal"}, "failed"),
    ],
)
def test_a_number_of_a_trunk_is_no_number_for_calls_over_another_one(channel: dict[str, Any], reason: str) -> None:
    bench = Bench(dials())
    bench.snapshot = replace(
        bench.snapshot, numbers=(replace(bench.snapshot.numbers[0], trunk="named"),), trunks=TRUNKS
    )
    bench.control.outcomes.append(Originated("failed", "NO_ROUTE_DESTINATION"))
    bench.run(caller("a", **channel))
    assert bench.record("a").reason == reason


@pytest.mark.req("R12")
def test_the_numbers_of_a_prefix_count_together_and_a_new_limit_holds_at_once() -> None:
    bench = limited()
    bench.snapshot = replace(bench.snapshot, numbers=(NumberRoute("+42022111100*", "main"),))
    for count, did in enumerate(("+420221111001", "+420221111002"), 1):
        bench.start(caller(did, did=did))
        rung(bench, count)
    bench.snapshot = replace(bench.snapshot, numbers=(NumberRoute("+42022111100*", "main", max_channels=2),))
    bench.services.tools.limits.keep([session.log for session in bench.services.register])
    assert refused(bench, "c", caller("c", did="+420221111003")) == ("USER_BUSY", "number_full")


@pytest.mark.req("R12", "R14")
def test_an_agents_mobile_is_not_rung_over_a_full_trunk(centre: Any) -> None:
    made = centre(agents="alice")
    agents = (
        replace(made.snapshot.agents[0], mobile=OUTSIDE, mobile_in=(AgentState.READY,)),
        *made.snapshot.agents[1:],
    )
    made.snapshot = replace(
        made.snapshot, agents=agents, trunks=(TrunkEntry("main-trunk", "127.0.0.1:5999", max_channels=1),)
    )
    made.counts.taken["trunk:main-trunk"] = {"somebody"}
    made.arrives()
    made.until(lambda: any(isinstance(event, LegEvent) and event.event == "ended" for event in made.events()))
    (offered, ended) = [event for event in made.events() if isinstance(event, LegEvent)]
    assert (offered.trunk, ended.cause) == ("main-trunk", "NORMAL_CIRCUIT_CONGESTION")
    assert not made.control.rung
