"""What a waiting call is told, and what becomes of it where that comes twice, too late, or never."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from engine.acd.news import Leave, Offered, Told
from engine.domain.acd import AgentState
from engine.domain.call import QueueOutcome
from engine.domain.routing import OverflowReason
from engine.session.queueing import visit
from engine.switch.port import CommandRefused, Originated
from tests.unit.session.centre import ANSWERED, Centre, ended, in_state, talking
from tests.unit.session.fake_switch import FakeChannel, channel_info

Open = Callable[..., Centre]


def tell(made: Centre, told: Told) -> None:
    made.services.tools.queueing.inbox._deliver(told)


def test_an_offer_that_is_told_twice_is_rung_once(centre: Open) -> None:
    made = centre(agents="alice bob")
    made.arrives()
    ringing = made.rings("alice")
    (there,) = made.store.load("main").offers
    ringing.outcome.set(Originated("rejected", "CALL_REJECTED"))
    bobs = made.rings("bob")
    tell(made, Offered(there.number, there.offer))
    bobs.outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    assert [target.user_or_number for target, _ in made.control.rung] == ["alice", "bob"]


def test_an_engine_that_is_back_before_the_call_rings_again(centre: Open) -> None:
    """It has read its inbox by then, and nobody was there to hear of the offer."""
    made = centre(agents="alice")
    made.arrives()
    first = made.rings("alice")
    made.engine_dies(made.services)
    again = made.engine("e1")
    again.tools.queueing.inbox.turn()
    again.tools.queueing.inbox.turn()
    made.also_runs(again)
    made.start(FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"})), again)
    made.rings("alice", times=2).outcome.set(ANSWERED)
    made.control.joined.get(timeout=5)
    assert first.leg in made.control.killed


def test_a_message_that_is_lost_is_made_up_for(centre: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "SAY_AGAIN_S", 0.02)
    monkeypatch.setattr(visit, "JOIN_AGAIN_S", 0.01)
    made = centre()
    inbox = made.services.tools.queueing.inbox
    made.arrives()
    lost: list[Told] = []
    deliver = inbox._deliver

    def deliver_but_the_first(told: Told) -> None:
        if isinstance(told, Offered) and not lost:
            lost.append(told)
        else:
            deliver(told)

    monkeypatch.setattr(inbox, "_deliver", deliver_but_the_first)
    made.log_in("alice")
    made.rings("alice")
    assert len(lost) == 1


class TestToldToLeave:
    def test_another_queue_he_stays(self, centre: Open) -> None:
        """He was in it before; an engine that starts anew reads its last messages again."""
        made = centre()
        made.arrives()
        tell(made, Leave("a-leg", "help", OverflowReason.FULL))
        made.log_in("alice")
        made.rings("alice")

    def test_after_he_joined_again_he_is_out(self, centre: Open) -> None:
        """His engine died before it read that, and is back."""
        made = centre()
        made.arrives()
        tell(made, Leave("a-leg", "sales", OverflowReason.FULL))
        assert ended(made) == "full"
        made.until(lambda: not made.waits())


def test_a_caller_whose_hangup_is_told_after_they_could_not_be_joined(
    centre: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = centre(agents="alice")
    caller = made.arrives()

    def bridge(a: str, b: str) -> None:
        gevent.spawn_later(0.01, caller.caller_hangs_up)
        raise CommandRefused("uuid_bridge", "-ERR Invalid uuid")

    monkeypatch.setattr(made.control, "bridge", bridge)
    made.rings("alice").outcome.set(ANSWERED)
    assert ended(made) == ""
    record = made.record()
    assert (record.result, [each.outcome for each in record.queues]) == (
        "lost_ringing",
        [QueueOutcome.ABANDONED_RINGING],
    )
    made.until(lambda: in_state(made, "alice", AgentState.READY))
    assert made.rings("alice").leg in made.control.killed


def test_who_talks_is_offered_nobody_whichever_engine_began_the_state_anew(centre: Open) -> None:
    made = centre(agents="alice")
    other = made.second_engine()
    made.engine_dies(made.services)
    made.also_runs(made.services)  # it comes second to the loss, and nobody waits on it
    talking(made)
    made.acd.lose()
    made.until(lambda: made.acd.generation == 2)
    made.store.attach()
    made.log_in("alice")
    made.until(lambda: in_state(made, "alice", AgentState.ON_CALL))
    assert other.tools.queueing.talking == {}
