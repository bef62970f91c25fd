"""A call in a queue, from joining to the conversation's end (R1, R5, R30, R32, R53)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.acd.agent import PHONE_FAILED, Break, LogOut, TakeBreak
from engine.domain.acd import Accept, AgentState, Strategy
from engine.domain.journal import LegEvent, QueueEvent
from engine.domain.routing import Overflow, OverflowKind, OverflowReason, QueueEntry
from engine.session.queueing import inbox, ringing, visit
from engine.switch.port import Originated
from tests.unit.session.bench import returned
from tests.unit.session.centre import ANSWERED, Centre, ended, in_state, talking, waiting
from tests.unit.session.fake_switch import FakeChannel, channel_info

MUSIC = str(Centre.library / "general/music.wav")
PRESS_ONE = str(Centre.library / "general/cs/press-one-to-accept.wav")
Open = Callable[..., Centre]


def test_the_agent_who_answers_talks_with_the_caller(centre: Open) -> None:
    made = centre(agents="alice")
    caller = made.arrives()
    ringing = made.rings("alice")
    assert made.control.rung[0][0].kind == "user"
    assert in_state(made, "alice", AgentState.RINGING)
    assert ("start_playing", MUSIC) in caller.log
    ringing.outcome.set(ANSWERED)
    assert made.control.joined.get(timeout=5) == ("a-leg", ringing.leg)
    alice = made.until(lambda: made.agent("alice") if made.agent("alice").talking_since_ms else None)
    assert (alice.state, alice.call, alice.queue, alice.calls) == (AgentState.ON_CALL, "a-leg", "sales", 1)
    assert not made.waits()
    events = [each for each in made.events() if isinstance(each, QueueEvent | LegEvent)]
    assert [(each.kind, each.event) for each in events] == [
        ("queue", "joined"),
        ("queue", "offered"),
        ("leg", "offered"),
        ("leg", "answered"),
        ("queue", "accepted"),
        ("leg", "bridged"),
    ]
    assert caller.variables["transfer_after_bridge"] == "cw_resume:XML:public"


@pytest.mark.req("R81")
def test_the_recording_says_in_which_queue_and_with_whom(centre: Open) -> None:
    made = centre(waiting(record=True), agents="alice")
    talking(made)
    (row,) = made.announced
    assert (row.queue, row.queue_name, row.agent_name) == ("sales", "Sales", "Alice")


@pytest.mark.req("R51")
def test_after_the_conversation_the_agent_has_his_wrap_up_and_the_flow_goes_on(centre: Open) -> None:
    made = centre(agents="alice", wrap_up_s=30)
    caller = talking(made)
    leg = made.control.rung[0][1].leg
    made.clock.ms += 60_000
    back = returned(caller, leg)
    made.run(back)
    assert ended(made) == "finished"
    alice = made.until(lambda: made.agent("alice") if in_state(made, "alice", AgentState.WRAP_UP) else None)
    assert (alice.wrap_up_until_ms - made.clock.ms, alice.talk_ms, alice.call) == (30_000, 60_000, "a-leg")
    assert made.record().talk_ms == 60_000


def test_a_caller_who_hangs_up_in_the_conversation_frees_the_agent(centre: Open) -> None:
    made = centre(agents="alice")
    caller = talking(made)
    caller.caller_hangs_up()
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert ended(made) == ""
    assert made.record().result == "handled"


def test_a_phone_is_hung_up_before_its_agent_is_free(centre: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    made = centre(agents="alice")
    caller = talking(made)
    leg, states = made.control.rung[0][1].leg, []
    monkeypatch.setattr(made.control, "kill", lambda uuid, *_: states.append((uuid, made.agent("alice").state)))
    caller.caller_hangs_up()
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert states[0] == (leg, AgentState.ON_CALL)


def test_a_caller_who_hangs_up_waiting_is_not_in_the_queue_any_more(centre: Open) -> None:
    made = centre()
    caller = made.arrives()
    caller.caller_hangs_up()
    made.until(lambda: not made.waits())
    made.log_in("alice")
    made.until(lambda: made.record().result == "lost_in_queue")
    assert made.control.rung == []


def test_a_caller_who_hangs_up_while_an_agent_rings_leaves_no_ghost_call(centre: Open) -> None:
    made = centre(agents="alice")
    caller = made.arrives()
    ringing = made.rings("alice")
    caller.caller_hangs_up()
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert ringing.cancelled
    assert not made.waits()
    assert ended(made) == ""
    assert made.record().result == "lost_ringing"


def test_an_agent_who_answers_as_the_caller_leaves_is_hung_up(centre: Open) -> None:
    made = centre(agents="alice")
    caller = made.arrives()
    ringing = made.rings("alice")
    ringing.outcome.set(ANSWERED)
    caller.caller_hangs_up()
    made.until(lambda: ringing.cancelled or ringing.leg in made.control.killed)
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert ended(made) == ""
    assert made.control.bridged == []


@pytest.mark.req("R53")
def test_no_answer_puts_the_agent_on_a_break_and_the_caller_back_to_the_front(centre: Open) -> None:
    made = centre(agents="alice")
    made.arrives()
    made.clock.ms += 1000
    made.arrives(FakeChannel(channel_info("b-leg")))
    made.rings("alice").outcome.set(Originated("no_answer", "NO_ANSWER"))
    alice = made.until(lambda: made.agent("alice") if in_state(made, "alice", AgentState.BREAK) else None)
    assert alice.on_break.reason == "no_answer"
    made.log_in("bob")
    made.rings("bob")
    assert made.agent("bob").call == "a-leg"


def test_a_phone_that_can_not_be_rung_puts_its_agent_on_a_break(centre: Open) -> None:
    """Or he would be asked again at once, and again."""
    made = centre(agents="alice")
    made.arrives()
    made.rings("alice").outcome.set(Originated("failed", "NORMAL_TEMPORARY_FAILURE"))
    alice = made.until(lambda: made.agent("alice") if in_state(made, "alice", AgentState.BREAK) else None)
    assert alice.on_break.reason == PHONE_FAILED


def test_a_phone_that_is_not_registered_gets_no_more_offers(centre: Open) -> None:
    made = centre(agents="alice")
    made.arrives()
    made.rings("alice").outcome.set(Originated("not_registered", "USER_NOT_REGISTERED"))
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert not made.agent("alice").reachable
    made.log_in("bob")
    made.rings("bob")


@pytest.mark.parametrize("outcome", [Originated("busy", "USER_BUSY"), Originated("rejected", "CALL_REJECTED")])
def test_an_agent_who_refuses_stays_ready_and_another_is_asked(centre: Open, outcome: Originated) -> None:
    made = centre(agents="alice bob")
    made.arrives()
    made.rings("alice").outcome.set(outcome)
    made.rings("bob")
    assert in_state(made, "alice", AgentState.READY)


def test_an_order_that_the_switch_does_not_take_is_no_fault_of_the_agent(
    centre: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringing, "AGAIN_S", 0.01)
    made = centre()
    made.control.connected = False
    made.arrives()
    made.log_in("alice")
    made.until(lambda: made.agent("alice").version > 3)
    made.control.connected = True
    made.rings("alice").outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)


def test_an_offer_that_crosses_with_the_leaving_is_given_back_at_once(centre: Open) -> None:
    made = centre(waiting(keys={"5": "message"}))
    caller = made.arrives()
    made.inbox_waits = True
    made.log_in("alice")
    made.until(lambda: in_state(made, "alice", AgentState.RINGING))
    caller.caller_presses("5")
    assert ended(made) == "message"
    assert in_state(made, "alice", AgentState.RINGING)
    made.inbox_waits = False
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert made.control.rung == []


@pytest.mark.req("R53")
class TestByAKey:
    def test_the_agent_who_presses_it_has_the_caller(self, centre: Open) -> None:
        made = centre(agents="alice", accept=Accept.KEY, whisper="sales.wav")
        made.control.announced.set()
        made.arrives()
        leg = made.rings("alice").leg
        made.rings("alice").outcome.set(ANSWERED)
        made.until(lambda: made.control.asked)
        assert made.control.asked == [(leg, ("/prompts/sales.wav", PRESS_ONE), "1")]
        assert in_state(made, "alice", AgentState.RINGING)
        made.control.presses(leg, "1")
        made.control.joined.get(timeout=5)
        made.until(lambda: in_state(made, "alice", AgentState.ON_CALL))

    def test_a_mailbox_that_answers_does_not(self, centre: Open) -> None:
        made = centre(agents="alice", accept=Accept.KEY)
        made.arrives()
        leg = made.rings("alice").leg
        made.rings("alice").outcome.set(ANSWERED)
        made.until(lambda: made.control.asked)
        made.control.presses(leg, None)
        made.until(lambda: in_state(made, "alice", AgentState.BREAK))
        assert made.rings("alice").cancelled
        assert made.waits()

    def test_who_hangs_up_instead_does_not(self, centre: Open) -> None:
        made = centre(agents="alice", accept=Accept.KEY)
        made.arrives()
        leg = made.rings("alice").leg
        made.rings("alice").outcome.set(ANSWERED)
        made.until(lambda: made.control.asked)
        made.control.leg_hangs_up(leg)
        made.until(lambda: in_state(made, "alice", AgentState.READY))
        assert made.waits()


@pytest.mark.req("R53")
def test_a_phone_may_answer_by_itself_and_the_agent_hears_the_queue_first(centre: Open) -> None:
    made = centre(agents="alice", accept=Accept.AT_ONCE, whisper="sales.wav")
    caller = made.arrives()
    ringing = made.rings("alice")
    assert made.control.auto_answered == {ringing.leg}
    ringing.outcome.set(ANSWERED)
    made.control.announcing.wait(5)
    assert made.control.played == [(ringing.leg, "/prompts/sales.wav")]
    assert [each for each in caller.log if each[0] == "start_playing"][-1][1].startswith("tone_stream://")
    assert made.control.bridged == []
    assert in_state(made, "alice", AgentState.ON_CALL)
    made.control.announced.set()
    made.control.joined.get(timeout=5)


def test_a_caller_who_hangs_up_during_the_whisper_frees_the_agent(centre: Open) -> None:
    made = centre(agents="alice", whisper="sales.wav")
    caller = made.arrives()
    made.rings("alice").outcome.set(ANSWERED)
    made.control.announcing.wait(5)
    caller.caller_hangs_up()
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert ended(made) == ""
    assert made.control.bridged == []


def test_where_the_two_can_not_be_joined_he_waits_again(centre: Open) -> None:
    made = centre(agents="alice bob")
    made.control.refuse_bridge = True
    caller = made.arrives()
    joined = made.store.load("main").members[0].joined_ms
    made.rings("alice").outcome.set(ANSWERED)
    second = made.rings("bob")
    assert in_state(made, "alice", AgentState.READY)
    made.control.refuse_bridge = False
    assert made.store.load("main").members[0].joined_ms == joined
    second.outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    assert caller.end is None


@pytest.mark.req("R32")
def test_a_key_ends_the_waiting_and_is_not_taken_for_the_next_menu(centre: Open) -> None:
    made = centre(waiting(keys={"5": "message"}), agents="alice")
    caller = made.arrives()
    ringing = made.rings("alice")
    caller.caller_presses("45")
    assert ended(made) == "message"
    assert ("forget_keys",) in caller.log
    assert ringing.cancelled
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert not made.waits()


@pytest.mark.req("R31")
@pytest.mark.req("R32")
class TestTheQueueDoesNotKeepHim:
    def test_for_nobody_is_logged_in(self, centre: Open) -> None:
        made = centre(agents="alice")
        made.store.change("alice", LogOut())
        made.arrives()
        made.clock.ms += 6_000
        assert ended(made) == "no_agents"

    def test_for_his_longest_wait_is_over(self, centre: Open) -> None:
        made = centre(waiting(max_wait_s=30), agents="alice")
        made.store.change("alice", TakeBreak(Break("lunch")))
        made.arrives()
        made.clock.ms += 31_000
        assert ended(made) == "timeout"

    def test_for_it_is_full(self, centre: Open) -> None:
        made = centre(agents="alice", max_waiting=1)
        made.store.change("alice", TakeBreak(Break("lunch")))
        made.arrives()
        made.clock.ms += 1
        made.start(FakeChannel(channel_info("b-leg")))
        assert ended(made, "b-leg") == "full"

    def test_and_sends_him_to_another_queue(self, centre: Open) -> None:
        onward = {OverflowReason.FULL: Overflow(OverflowKind.QUEUE, "help")}
        made = centre(max_waiting=1, overflow=onward, queues=(QueueEntry(id="help", name="Help"),))
        made.log_in("alice", "help")
        made.log_in("bob")
        made.store.change("bob", TakeBreak(Break("lunch")))
        made.arrives()
        made.clock.ms += 1
        made.start(FakeChannel(channel_info("b-leg")))
        made.rings("alice")
        assert made.agent("alice").queue == "help"

    def test_for_nobody_decides(self, centre: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (inbox, visit):
            monkeypatch.setattr(module, "ALONE_S", 0.02)
        monkeypatch.setattr(inbox, "WAIT_MS", 1)
        monkeypatch.setattr(Centre, "_pump", _without_owner)
        made = centre(agents="alice")
        made.start(FakeChannel())
        assert ended(made) == "closed"
        assert not made.waits()


def _without_owner(made: Centre) -> None:
    import gevent

    while True:
        made.services.tools.queueing.inbox.turn()
        gevent.sleep(0.001)


def test_ring_all_answered_by_two_the_first_has_him(centre: Open) -> None:
    made = centre(agents="alice bob carol", strategy=Strategy.RING_ALL)
    made.arrives()
    phones = {name: made.rings(name) for name in ("alice", "bob", "carol")}
    phones["bob"].outcome.set(ANSWERED)
    phones["alice"].outcome.set(ANSWERED)
    assert made.control.joined.get(timeout=5) == ("a-leg", phones["bob"].leg)
    made.until(lambda: in_state(made, "alice", AgentState.READY) and in_state(made, "carol", AgentState.READY))
    assert in_state(made, "bob", AgentState.ON_CALL)
    assert phones["alice"].cancelled
    assert phones["carol"].cancelled
    assert [leg for _, leg in made.control.bridged] == [phones["bob"].leg]


@pytest.mark.req("R8")
def test_the_agent_who_spoke_with_him_last_is_asked_first(centre: Open) -> None:
    made = centre(waiting(sticky_s=3600), agents="alice bob")
    made.last_agents["+420601234567"] = "bob"
    made.arrives()
    made.rings("bob")
    assert in_state(made, "alice", AgentState.READY)
