"""The agent's state machine: each rule by itself, all that can be reached, and random days."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.acd.agent import (
    Accepted,
    Agent,
    AgentEvent,
    Assigned,
    Break,
    BreakKind,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    LogOut,
    NotAnswered,
    PhoneBack,
    PhoneGone,
    Ready,
    Refused,
    Reserved,
    TakeBreak,
    Withdrawn,
    WrapUpOver,
    WrapUpSet,
)
from engine.acd.states import TRANSITIONS, Change, NotPossible, apply, possible
from engine.domain.acd import AgentState, Tier

LUNCH = Break("lunch", BreakKind.PRIVATE)
TRAINING = Break("training", BreakKind.WORK)
ALICE = Agent(id="alice", assigned={"sales": Tier(), "help": Tier(2, 1)}, skills={"cs": 7})
OFFER = Reserved("1-1", "m1", "sales")


def after(*happened: Happening, agent: Agent = ALICE) -> Agent:
    """The agent after these, the first at 1,000 ms, each a second after the one before."""
    for n, each in enumerate(happened, 1):
        agent = apply(agent, each, 1000 * n).agent
    return agent


RINGING = (LogIn(), OFFER)
ACCEPTED = (*RINGING, Accepted("1-1"))
TALKING = (*ACCEPTED, ConversationBegan("m1", "1-1"))
WRAP_UP = (*TALKING, ConversationEnded("m1", 10_000))


@pytest.mark.req("R50")
def test_a_call_from_the_queue() -> None:
    for happened, state in (
        ((), AgentState.LOGGED_OUT),
        ((LogIn(),), AgentState.READY),
        (RINGING, AgentState.RINGING),
        (ACCEPTED, AgentState.ON_CALL),
        (TALKING, AgentState.ON_CALL),
        (WRAP_UP, AgentState.WRAP_UP),
        ((*WRAP_UP, Ready()), AgentState.READY),
    ):
        assert after(*happened).state is state
    done = after(*WRAP_UP, Ready())
    assert (done.calls, done.talk_ms, done.busy_ms, done.present_ms) == (1, 1000, 4000, 5000)
    assert (done.ready_since_ms, done.offer, done.call, done.queue) == (6000, None, "", "")


@pytest.mark.req("R50")
def test_an_event_says_all_of_a_change() -> None:
    change = apply(after(*RINGING), TakeBreak(LUNCH), 5000)
    assert change.event == AgentEvent(
        agent="alice",
        version=3,
        at_ms=5000,
        what="take_break",
        from_state=AgentState.RINGING,
        to_state=AgentState.RINGING,
        reason="lunch",
        kind=BreakKind.PRIVATE,
        call="m1",
        queue="sales",
    )
    assert AgentEvent.from_json(change.event.to_json()) == change.event


@pytest.mark.req("R53")
def test_who_does_not_answer_is_on_a_break() -> None:
    change = apply(after(*RINGING), NotAnswered("1-1"), 9000)
    assert (change.agent.state, change.agent.on_break) == (AgentState.BREAK, Break("no_answer"))
    assert change.event
    assert (change.event.reason, change.event.kind) == ("no_answer", BreakKind.WORK)
    assert after(*RINGING, TakeBreak(LUNCH), NotAnswered("1-1")).on_break == LUNCH, "he had asked for it"


@pytest.mark.parametrize("happened", [RINGING, ACCEPTED])
def test_an_offer_that_is_withdrawn_leaves_no_trace(happened: tuple[Happening, ...]) -> None:
    before = replace(after(LogIn()), last_offer_ms=7)
    agent = before
    for each in (*happened[1:], Withdrawn("1-1")):
        agent = apply(agent, each, 60_000).agent
    assert (agent.snapshot().ready_since_ms, agent.last_offer_ms, agent.calls) == (1000, 7, 0)
    assert (agent.state, agent.offer, agent.call) == (AgentState.READY, None, "")


def test_who_refuses_stays_in_line_and_had_his_turn() -> None:
    agent = after(*RINGING, Refused("1-1"))
    assert (agent.state, agent.ready_since_ms, agent.last_offer_ms) == (AgentState.READY, 1000, 2000)


@pytest.mark.parametrize(
    ("happened", "end"),
    [
        (RINGING, Withdrawn("1-1")),
        (RINGING, Refused("1-1")),
        (ACCEPTED, Withdrawn("1-1")),
        (TALKING, ConversationEnded("m1")),
    ],
)
def test_what_is_asked_for_in_a_call_happens_after_it(happened: tuple[Happening, ...], end: Happening) -> None:
    asked = after(*happened, TakeBreak(LUNCH))
    assert (asked.state, asked.break_next) == (after(*happened).state, LUNCH)
    on_break = after(*happened, TakeBreak(LUNCH), end)
    assert (on_break.state, on_break.on_break, on_break.break_next) == (AgentState.BREAK, LUNCH, None)
    assert after(*happened, TakeBreak(LUNCH), Ready(), end).state is AgentState.READY, "taken back"
    assert after(*happened, LogOut(), end).state is AgentState.LOGGED_OUT
    assert after(*happened, LogOut(), LogIn("help"), end).tiers.keys() == {"help"}


@pytest.mark.req("R51")
def test_wrap_up_comes_before_the_break_that_was_asked_for() -> None:
    agent = after(*TALKING, TakeBreak(LUNCH), ConversationEnded("m1", 5000))
    assert (agent.state, agent.break_next) == (AgentState.WRAP_UP, LUNCH)
    assert apply(agent, WrapUpOver(), agent.wrap_up_until_ms).agent.on_break == LUNCH
    assert apply(agent, Ready(), agent.since_ms).agent.state is AgentState.READY


@pytest.mark.req("R51")
def test_wrap_up_is_shortened_and_extended() -> None:
    agent = after(*WRAP_UP)
    assert agent.wrap_up_until_ms == 15_000
    longer = apply(agent, WrapUpSet(60_000), 14_000).agent
    with pytest.raises(NotPossible, match=r"wrap_up_over is not possible \(he has 59000 ms left\)"):
        apply(longer, WrapUpOver(), 15_000)
    assert apply(longer, WrapUpOver(), 74_000).agent.state is AgentState.READY
    assert apply(longer, WrapUpSet(0), 20_000).agent.state is AgentState.READY
    assert after(*TALKING, ConversationEnded("m1", 0)).state is AgentState.READY


@pytest.mark.req("R52")
def test_single_queues() -> None:
    assert after(LogIn("sales")).tiers == {"sales": Tier()}
    assert after(LogIn("sales"), LogIn("help"), LogOut("sales")).tiers == {"help": Tier(2, 1)}
    assert after(LogIn("sales"), LogOut("sales")).state is AgentState.LOGGED_OUT
    with pytest.raises(NotPossible, match=r"he is not assigned to queue boats"):
        after(LogIn("boats"))
    bound = replace(ALICE, may_choose_queues=False)
    assert after(LogIn(), LogOut(), agent=bound).state is AgentState.LOGGED_OUT
    for forbidden in (LogIn("sales"), LogOut("sales")):
        with pytest.raises(NotPossible, match=r"he may not choose single queues"):
            after(LogIn(), forbidden, agent=bound)
    assert after(LogIn(), LogOut("sales", forced=True), agent=bound).tiers.keys() == {"help"}
    with pytest.raises(NotPossible, match="he is assigned to no queue"):
        after(LogIn(), agent=Agent(id="bob"))


def test_the_supervisor_changes_queues() -> None:
    new = {"help": Tier(1, 5), "boats": Tier()}
    agent = after(LogIn("sales"), Assigned(new, {"en": 3}))
    assert (agent.tiers, agent.skills) == ({"boats": Tier()}, {"en": 3})
    assert after(LogIn("sales"), Assigned(new, {}, may_choose_queues=False)).tiers == new
    assert after(LogIn(), Assigned({}, {})).state is AgentState.LOGGED_OUT
    talking = after(*TALKING, Assigned({}, {}))
    assert talking.state is AgentState.ON_CALL
    assert apply(talking, ConversationEnded("m1", 5000), 9000).agent.state is AgentState.LOGGED_OUT
    assert after(Assigned(new, {})).tiers == {}, "who is logged out stays so"


@pytest.mark.req("R5")
def test_a_phone_that_is_gone_gets_no_offer_and_keeps_its_place() -> None:
    gone = after(LogIn(), PhoneGone())
    assert not gone.available
    with pytest.raises(NotPossible, match=r"reserved is not possible \(his phone is not registered\)"):
        apply(gone, OFFER, 3000)
    back = apply(gone, PhoneBack(), 3000).agent
    assert (back.available, back.ready_since_ms) == (True, 1000)
    with pytest.raises(NotPossible, match="not logged in to queue help"):
        apply(after(LogIn("sales")), Reserved("1-1", "m1", "help"), 3000)


def test_calls_of_his_own() -> None:
    agent = after(LogIn(), ConversationBegan("out"), ConversationEnded("out"))
    assert (agent.state, agent.calls, agent.talk_ms, agent.ready_since_ms) == (AgentState.READY, 0, 1000, 3000)
    assert after(LogIn(), TakeBreak(LUNCH), ConversationBegan("out"), ConversationEnded("out")).on_break == LUNCH
    wrap_up = after(*WRAP_UP, ConversationBegan("out"), ConversationEnded("out"))
    assert (wrap_up.state, wrap_up.wrap_up_until_ms) == (AgentState.WRAP_UP, 15_000), "it goes on"


@pytest.mark.parametrize(
    ("happened", "late", "message"),
    [
        ((LogIn(),), Accepted("1-1"), "agent alice is ready: accepted is not possible; possible is: log_in, log_out, "),
        (RINGING, Accepted("1-2"), r"accepted is not possible \(his offer is 1-1, not 1-2\)"),
        (RINGING, Reserved("1-2", "m2", "help"), "agent alice is ringing: reserved is not possible; "),
        (TALKING, Withdrawn("1-1"), r"withdrawn is not possible \(he has no offer, 1-1 is over\)"),
        (TALKING, ConversationBegan("m2"), "he speaks in call m1"),
        (TALKING, ConversationEnded("m2"), "he speaks in call m1, not m2"),
        (ACCEPTED, ConversationEnded("m1"), "none has begun"),
        ((LogIn(),), ConversationBegan("m1", "1-1"), "he has not accepted offer 1-1"),
        ((), TakeBreak(LUNCH), "agent alice is logged_out: take_break is not possible; possible is: log_in, "),
    ],
)
def test_what_comes_late_or_twice_is_refused(happened: tuple[Happening, ...], late: Happening, message: str) -> None:
    with pytest.raises(NotPossible, match=message):
        apply(after(*happened), late, 50_000)


def test_a_clock_that_goes_back_takes_no_time_away() -> None:
    agent = apply(apply(after(*TALKING), ConversationEnded("m1"), 500).agent, TakeBreak(LUNCH), 100).agent
    assert (agent.talk_ms, agent.busy_ms, agent.present_ms, agent.since_ms) == (0, 1000, 2000, 100)


# All that can be reached

CALLS = ("m1", "own")
MANY: tuple[Happening, ...] = (
    LogIn(),
    LogIn("sales"),
    LogOut(),
    LogOut("sales"),
    Ready(),
    TakeBreak(LUNCH),
    TakeBreak(TRAINING),
    OFFER,
    Reserved("1-2", "m2", "help"),
    Accepted("1-1"),
    Accepted("1-2"),
    Refused("1-1"),
    NotAnswered("1-1"),
    Withdrawn("1-1"),
    ConversationBegan("m1", "1-1"),
    ConversationBegan("own"),
    ConversationEnded("m1"),
    ConversationEnded("m1", 3000),
    ConversationEnded("own"),
    WrapUpSet(0),
    WrapUpSet(9000),
    WrapUpOver(),
    PhoneGone(),
    PhoneBack(),
    Assigned({}, {}),
    Assigned(ALICE.assigned, ALICE.skills),
)


def _sort(agent: Agent) -> tuple[object, ...]:
    """Agents of one sort may do the same."""
    offer = agent.offer.number if agent.offer else ""
    times = (agent.talking_since_ms > 0, agent.wrap_up_until_ms > 0)
    held = (agent.state, offer, agent.call, agent.on_break, agent.break_next, *times)
    return (*held, agent.reachable, tuple(sorted(agent.tiers)), tuple(sorted(agent.assigned)))


def test_the_table_says_what_happens_no_more_and_no_less() -> None:
    seen, left = {_sort(ALICE)}, [ALICE]
    moves: set[tuple[str, AgentState, AgentState]] = set()
    while left:
        agent = left.pop()
        for happening in MANY:
            # A wrap-up that is not over and one that is.
            for at_ms in (agent.since_ms + 1000, agent.since_ms + 20_000):
                try:
                    change = apply(agent, happening, at_ms)
                except NotPossible:
                    continue
                moves.add((TRANSITIONS[type(happening)].name, agent.state, change.agent.state))
                if _sort(change.agent) not in seen:
                    seen.add(_sort(change.agent))
                    left.append(change.agent)
    table = {
        (each.name, start, to) for each in TRANSITIONS.values() for start, ends in each.moves.items() for to in ends
    }
    assert moves == table
    assert all(possible(state) for state in AgentState)


# Random days

steps = st.lists(st.tuples(st.sampled_from(MANY), st.integers(-500, 30_000)), max_size=60)


@given(steps)
@settings(max_examples=400, deadline=None)
@pytest.mark.req("R50")
def test_random_days(day: list[tuple[Happening, int]]) -> None:
    agent, at_ms, offers_out = ALICE, 1_000_000, 0
    idle_since_ms, was_asked_ms = 0, 0
    for happening, passed_ms in day:
        at_ms += passed_ms
        try:
            change = apply(agent, happening, at_ms)
        except NotPossible:
            continue
        _every_change_has_an_event(agent, change, at_ms)
        if isinstance(happening, Reserved):
            offers_out += 1
            idle_since_ms, was_asked_ms = agent.ready_since_ms, agent.last_offer_ms
        elif agent.offer and not change.agent.offer:
            offers_out -= 1
        if isinstance(happening, Withdrawn) and change.agent.state is AgentState.READY:
            assert change.agent.ready_since_ms == idle_since_ms
            assert change.agent.last_offer_ms == was_asked_ms
        agent = change.agent
        assert offers_out == (agent.offer is not None) <= 1
        _holds_together(agent)


def _every_change_has_an_event(before: Agent, change: Change, at_ms: int) -> None:
    if change.event is None:
        assert change.agent == before
        return
    assert change.agent.version == change.event.version == before.version + 1
    logged = (change.event.from_state, change.event.to_state, change.event.at_ms)
    assert logged == (before.state, change.agent.state, at_ms)


def _holds_together(agent: Agent) -> None:
    state = agent.state
    assert Agent.from_json(agent.to_json()) == agent
    assert agent.snapshot().available == agent.available
    assert (agent.on_break is not None) == (state is AgentState.BREAK)
    assert agent.tiers.keys() <= agent.assigned.keys()
    if agent.offer:
        assert state in (AgentState.RINGING, AgentState.ON_CALL)
    if state is AgentState.RINGING:
        assert agent.offer
    if state is AgentState.ON_CALL:
        assert bool(agent.offer) != bool(agent.talking_since_ms), "asked or talking, not both"
    else:
        assert agent.talking_since_ms == 0
    if state in (AgentState.READY, AgentState.BREAK, AgentState.WRAP_UP):
        assert agent.tiers
    if state is AgentState.LOGGED_OUT:
        assert not agent.tiers
    assert 0 <= agent.talk_ms <= agent.busy_ms <= agent.present_ms
