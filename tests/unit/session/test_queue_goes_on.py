"""A call in a queue: what is heard meanwhile, other engines that take it up, and a shared state that is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.acd.agent import Break, TakeBreak
from engine.acd.news import Positions
from engine.domain.acd import AgentState, Standing
from engine.domain.routing import Announcements
from ivr_flows.flow import Limits
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.play import Play
from tests.unit.session.bench import flow, returned
from tests.unit.session.centre import ANSWERED, Centre, Listener, ended, in_state, talking, waiting
from tests.unit.session.fake_switch import FakeChannel, channel_info

MUSIC = str(Centre.library / "general/music.wav")
PRESS_ONE = str(Centre.library / "general/cs/press-one-to-accept.wav")
Open = Callable[..., Centre]


class TestAnotherEngine:
    def test_takes_the_call_up_at_its_place_and_rings_again(self, centre: Open) -> None:
        made = centre(agents="alice")
        caller = made.arrives()
        joined = made.store.load("main").members[0].joined_ms
        first = made.rings("alice")
        second = made.second_engine()
        made.engine_dies(made.services)
        made.start(FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"})), second)
        again = made.rings("alice", times=2)
        assert first.leg in made.control.killed
        assert made.store.load("main").members[0].joined_ms == joined
        again.outcome.set(ANSWERED)
        assert made.control.joined.get(timeout=5) == ("a-leg", again.leg)
        made.until(lambda: made.agent("alice").talking_since_ms)
        assert caller.end is None

    def test_gives_back_an_agent_who_had_accepted(self, centre: Open) -> None:
        made = centre(agents="alice", whisper="sales.wav")
        made.arrives()
        made.rings("alice").outcome.set(ANSWERED)
        made.control.announcing.wait(5)
        assert in_state(made, "alice", AgentState.ON_CALL)
        second = made.second_engine()
        made.engine_dies(made.services)
        made.start(FakeChannel(channel_info(attempt=2, variables={"cw_seen": "1"})), second)
        made.rings("alice", times=2)
        assert made.waits()

    def test_ends_a_conversation_of_which_nobody_had_said_that_it_began(self, centre: Open) -> None:
        made = centre(agents="alice", wrap_up_s=10)
        made.services.tools.queueing.reports.agent = lambda *_: None  # type: ignore[method-assign]
        caller = made.arrives()
        ringing = made.rings("alice")
        ringing.outcome.set(ANSWERED)
        made.control.joined.get(timeout=5)
        second = made.second_engine()
        made.run(returned(caller, ringing.leg), second)
        made.until(lambda: in_state(made, "alice", AgentState.WRAP_UP))
        assert ended(made) == "finished"

    def test_or_the_janitor_frees_the_agent_whose_caller_has_gone(self, centre: Open) -> None:
        made = centre(agents="alice")
        talking(made)
        made.services.tools.queueing.reports.agent = lambda *_: None  # type: ignore[method-assign]
        second = made.second_engine()
        made.journal.living.clear()
        made.janitor(second).sweep()
        made.until(lambda: in_state(made, "alice", AgentState.READY))

    def test_tells_no_place_behind_the_one_that_was_told(self, centre: Open) -> None:
        plan = Announcements(first_after_s=0, position_every_s=0)
        made = centre(announcements=plan, agents="alice")
        made.store.change("alice", TakeBreak(Break("lunch")))
        caller = made.arrives(Listener())
        made.services.tools.queueing.inbox._deliver(Positions({"a-leg": Standing(2)}))
        made.until(lambda: ("ordinal-2-masculine",) in pieces(caller))
        made.inbox_waits = True
        second = made.second_engine()
        made.engine_dies(made.services)
        again = Listener(channel_info(attempt=2, variables={"cw_seen": "1"}))
        made.start(again, second)
        made.until(lambda: again.log)
        second.tools.queueing.inbox._deliver(Positions({"a-leg": Standing(3)}))
        made.until(lambda: again.heard)
        assert set(pieces(again)) == {("ordinal-2-masculine",)}


@pytest.mark.parametrize("ahead_ms", [70_000, -70_000])
def test_an_engine_whose_own_clock_is_wrong_sends_nobody_away(centre: Open, ahead_ms: int) -> None:
    made = centre(waiting(max_wait_s=60), agents="alice")
    made.store.change("alice", TakeBreak(Break("lunch")))
    made.own_clock.ms += ahead_ms
    made.arrives()
    made.until(lambda: made.second_passes() and made.clock.ms - made.store.load("main").members[0].joined_ms > 30_000)
    assert made.waits()
    made.clock.ms += 31_000
    assert ended(made) == "timeout"


class TestTheSharedStateIsLost:
    def test_who_waits_keeps_his_place(self, centre: Open) -> None:
        made = centre()
        made.arrives()
        joined = made.store.load("main").members[0].joined_ms
        made.clock.ms += 9_000
        made.acd.lose()
        made.until(lambda: made.store.attach() or made.waits())
        assert made.until(lambda: made.store.load("main").members)[0].joined_ms == joined
        made.log_in("alice")
        made.rings("alice")

    def test_who_rings_is_stopped_and_asked_again(self, centre: Open) -> None:
        made = centre(agents="alice")
        made.arrives()
        first = made.rings("alice")
        made.acd.lose()
        made.until(lambda: first.cancelled)
        made.until(lambda: made.store.attach() or made.waits())
        made.log_in("alice")
        made.rings("alice", times=2).outcome.set(ANSWERED)
        made.control.joined.get(timeout=5)

    def test_who_talks_is_offered_nobody(self, centre: Open) -> None:
        made = centre(agents="alice")
        talking(made)
        made.acd.lose()
        made.until(lambda: made.store.attach() or made.acd.generation == 2)
        made.log_in("alice")
        made.until(lambda: in_state(made, "alice", AgentState.ON_CALL))
        assert made.agent("alice").call == "a-leg"


@pytest.mark.req("R30")
class TestWhatIsHeard:
    def test_a_flow_of_its_own_until_an_agent_has_accepted(self, centre: Open) -> None:
        exits = {"done": "again", "key": "again", "error": "again"}
        heard = flow({"again": (Play(prompts=("a", "b")), exits)}, "hold", kind="queue_wait")
        made = centre(waiting(wait_flow="hold"), heard)
        caller = made.arrives(Listener())
        assert made.until(lambda: caller.heard) == [("/prompts/a.wav", "/prompts/b.wav")]
        caller.plays_to_its_end.set()
        made.until(lambda: len(caller.heard) == 2)
        made.log_in("alice")
        ringing = made.rings("alice")
        assert caller.stopped == 0
        ringing.outcome.set(ANSWERED)
        made.control.joined.get(timeout=5)
        assert caller.stopped
        assert len(caller.heard) == 2

    def test_a_flow_that_comes_to_its_limit_leaves_the_music(self, centre: Open) -> None:
        exits = {"done": "again", "key": "again", "error": "again"}
        heard = flow({"again": (Play(prompts=("a",)), exits)}, "hold", kind="queue_wait")
        made = centre(waiting(wait_flow="hold"), replace(heard, limits=Limits(max_steps=1)))
        caller = made.arrives(Listener())
        made.until(lambda: caller.heard)
        caller.plays_to_its_end.set()
        made.until(lambda: ("start_playing", MUSIC) in caller.log)
        assert caller.end is None

    def test_a_flow_may_hang_up(self, centre: Open) -> None:
        heard = flow({"bye": (Hangup(cause="USER_BUSY"), {})}, "hold", kind="queue_wait")
        made = centre(waiting(wait_flow="hold"), heard)
        made.start(Listener())
        assert ended(made) == ""
        assert made.record().hangup_cause == "USER_BUSY"
        assert not made.waits()

    def test_the_position_as_often_as_the_queue_says_and_it_never_grows(self, centre: Open) -> None:
        made = centre(announcements=Announcements(first_after_s=0, position_every_s=0), agents="alice")
        made.store.change("alice", TakeBreak(Break("lunch")))
        first, second = Listener(channel_info("first")), Listener(channel_info("second"))
        made.arrives(first)
        made.clock.ms += 1000
        made.arrives(second)
        made.until(lambda: made.second_passes() and ("ordinal-2-masculine",) in pieces(second))
        # Somebody of a higher priority comes: he stands third, and is not told so.
        made.services.tools.queueing.inbox._deliver(Positions({"second": Standing(3)}))
        made.until(lambda: len(spoken(second)) > 3)
        assert {each[1] for each in spoken(second)} == {"ordinal-2-masculine"}
        first.caller_hangs_up()
        made.until(lambda: made.second_passes() and ("ordinal-1",) in pieces(second))

    def test_the_expected_wait_only_where_somebody_can_tell(self, centre: Open) -> None:
        made = centre(announcements=Announcements(first_after_s=0, expected_wait_every_s=0))
        caller = made.arrives(Listener())
        # The music begins anew each time after the announcement was due: often, while only the place is known.
        made.services.tools.queueing.inbox._deliver(Positions({"a-leg": Standing(1)}))
        times = caller.log.count(("start_playing", MUSIC)) + 5
        made.until(lambda: caller.log.count(("start_playing", MUSIC)) > times)
        assert caller.heard == []
        made.services.tools.queueing.inbox._deliver(Positions({"a-leg": Standing(1, 60_000, 130_000)}))
        made.until(lambda: caller.heard)


def pieces(caller: Listener) -> list[tuple[str, ...]]:
    """Of each announcement the second piece, which is the number."""
    return [each[1:2] for each in spoken(caller)]


def spoken(caller: Listener) -> list[tuple[str, ...]]:
    """What was announced, as the names of its pieces."""
    caller.plays_to_its_end.set()
    return [tuple(path.rsplit("/", 1)[-1].removesuffix(".wav") for path in each) for each in caller.heard]
