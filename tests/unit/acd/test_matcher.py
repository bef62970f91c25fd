"""The matcher: which agent, which member, when, and what it says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.acd.faults import QueueClosed
from engine.domain.acd import AgentState, Passed, QueueRules, Ring, Strategy, Why
from tests.unit.acd.people import NOW, agent, matcher, member, pairs

S = 1000
CZECH = (Ring(0, {"cs": 5}), Ring(10 * S, {"cs": 3}), Ring(30 * S, {}))


@pytest.mark.req("R2", "R4")
@pytest.mark.parametrize(
    ("strategy", "first", "second", "score"),
    [
        (Strategy.LONGEST_IDLE, {"ready_since_ms": NOW - 9 * S}, {"ready_since_ms": NOW - 8 * S}, "idle for 9 s"),
        (Strategy.FEWEST_CALLS, {"calls": 3}, {"calls": 4}, "3 calls"),
        (Strategy.LEAST_TALK_TIME, {"talk_ms": 60 * S}, {"talk_ms": 61 * S}, "talked for 60 s"),
        (Strategy.ROUND_ROBIN, {"last_offer_ms": 0}, {"last_offer_ms": NOW - S}, "not asked yet"),
        (Strategy.ROUND_ROBIN, {"last_offer_ms": NOW - 2 * S}, {"last_offer_ms": NOW - S}, "last asked 2 s ago"),
        (Strategy.TOP_DOWN, {"position": 1}, {"position": 2}, "level 1, position 1"),
        (
            Strategy.BEST_SKILL,
            {"skills": {"cs": 9}},
            {"skills": {"cs": 8, "en": 9}},
            "levels of the skills add up to 9",
        ),
        (
            Strategy.OCCUPANCY,
            {"busy_ms": 50, "present_ms": 200},
            {"busy_ms": 40, "present_ms": 100},
            "25% occupied",
        ),
    ],
)
def test_strategies(strategy: Strategy, first: dict[str, Any], second: dict[str, Any], score: str) -> None:
    # the one who goes first joins last, and has the later name, so that nothing but the strategy brings him forward
    made = matcher(QueueRules(id="q", strategy=strategy))
    made.set_agent(agent("a", **second))
    made.set_agent(agent("z", **first))
    made.join(member("m", rings=(Ring(0, {"cs": 5}),) if "skills" in first else (Ring(0, {}),)), NOW)
    (offer,) = made.decide(NOW)
    assert (offer.agents, offer.strategy, offer.score, offer.at_ms) == (("z",), strategy, score, NOW)


@pytest.mark.parametrize("strategy", [each for each in Strategy if each is not Strategy.LONGEST_IDLE])
def test_ties_go_by_position_then_by_the_longest_idle(strategy: Strategy) -> None:
    made = matcher(QueueRules(id="q", strategy=strategy))
    made.set_agent(agent("a", position=2, ready_since_ms=NOW - 9 * S))
    made.set_agent(agent("b", position=1, ready_since_ms=NOW - 1 * S))
    made.set_agent(agent("c", position=1, ready_since_ms=NOW - 2 * S))
    made.join(member("m"), NOW)
    assert made.decide(NOW)[0].agents[0] == "c"


def test_ring_all_offers_everybody_who_may_be_asked_in_order_and_reserves_them() -> None:
    made = matcher(QueueRules(id="q", strategy=Strategy.RING_ALL))
    for name, level in (("late", 2), ("b", 1), ("a", 1)):
        made.set_agent(agent(name, level=level, position=ord(name[0])))
    made.set_agent(agent("break", state=AgentState.BREAK))
    made.join(member("m1"), NOW)
    made.join(member("m2"), NOW)
    (offer,) = made.decide(NOW)
    assert (offer.member, offer.agents, offer.score) == ("m1", ("a", "b"), "2 agents at once")
    # one answers: the other one is free for the next member
    made.leave("m1")
    made.set_agent(agent("a", state=AgentState.ON_CALL))
    made.set_agent(agent("b"))
    assert pairs(made.decide(NOW + S)) == [("m2", "b")]


@pytest.mark.req("R5")
def test_only_who_is_ready_logged_in_and_reachable_is_asked() -> None:
    made = matcher()
    made.join(member("m"), NOW)
    made.set_agent(agent("a", "other"))
    made.set_agent(agent("b", reachable=False))
    for state in AgentState:
        if state is not AgentState.READY:
            made.set_agent(agent(f"c-{state}", state=state))
    assert made.decide(NOW) == []
    made.set_agent(agent("b"))
    assert pairs(made.decide(NOW)) == [("m", "b")]


@pytest.mark.req("R32")
def test_priority_goes_first_until_waiting_outweighs_it() -> None:
    made = matcher(QueueRules(id="q", ageing_per_min=2.0))
    made.join(member("patient", joined_ms=NOW - 150 * S), NOW)  # 5 points
    made.join(member("important", priority=4.9), NOW)
    made.join(member("urgent", priority=5.1), NOW)
    assert [each.id for each in made.waiting("q")] == ["urgent", "patient", "important"]
    assert [made.position(name) for name in ("urgent", "patient", "important", "nobody")] == [1, 2, 3, None]
    made.set_agent(agent("a"))
    assert pairs(made.decide(NOW)) == [("urgent", "a")]
    # ageing changes nothing that would need a wake
    assert made.next_wake_ms() is None


@pytest.mark.req("R2")
def test_an_agent_of_several_queues_takes_the_member_whose_waiting_is_worth_most() -> None:
    made = matcher(QueueRules(id="light"), QueueRules(id="heavy", weight=3.0))
    made.join(member("old", "light", NOW - 60 * S), NOW)
    made.join(member("young", "heavy", NOW - 20 * S), NOW)
    made.set_agent(agent("a", "light", "heavy"))
    # 60 s to 3 times 21 s: the heavy queue has caught up since they were equal
    assert pairs(made.decide(NOW + S)) == [("young", "a")]


def test_a_level_is_asked_after_the_wait_of_those_before_it() -> None:
    made = matcher(QueueRules(id="q", tier_wait_ms=15 * S))
    made.set_agent(agent("first", level=1, state=AgentState.ON_CALL))
    made.set_agent(agent("third", level=7))
    made.join(member("m"), NOW)
    assert made.decide(NOW) == []
    assert made.explain("m", NOW)[1] == Passed("third", Why.TIER, "level 7 is asked after 15 s of waiting")
    assert made.next_wake_ms() == NOW + 15 * S
    assert made.decide(NOW + 15 * S - 1) == []
    assert pairs(made.decide(NOW + 15 * S)) == [("m", "third")]


def test_a_level_at_which_nobody_is_logged_in_is_not_waited_for() -> None:
    made = matcher(QueueRules(id="q", tier_wait_ms=15 * S))
    made.set_agent(agent("first", level=1, state=AgentState.BREAK))
    made.set_agent(agent("second", level=2))
    made.join(member("m"), NOW)
    assert made.decide(NOW) == []
    made.set_agent(agent("first", level=1, state=AgentState.LOGGED_OUT))
    assert pairs(made.decide(NOW)) == [("m", "second")]


@pytest.mark.req("R1")
def test_demands_relax_with_waiting() -> None:
    made = matcher()
    made.set_agent(agent("a", skills={"cs": 3}))
    made.join(member("m", rings=CZECH), NOW)
    assert made.decide(NOW) == []
    told = Passed("a", Why.SKILL, "has cs 3 of 5, enough after 10 s of waiting")
    assert made.explain("m", NOW) == [told]
    assert made.next_wake_ms() == NOW + 10 * S
    (offer,) = made.decide(NOW + 10 * S)
    assert (offer.agents, offer.ring, offer.waited_ms) == (("a",), 1, 10 * S)


def test_a_freed_agent_takes_the_member_in_whose_inner_ring_he_stands() -> None:
    made = matcher()
    made.join(member("older", joined_ms=NOW - 40 * S, priority=50, rings=CZECH), NOW)
    made.join(member("newer", rings=(Ring(0, {"en": 1}),)), NOW)
    made.decide(NOW)
    # he fits the older one's last ring only
    made.set_agent(agent("a", skills={"en": 5}))
    assert pairs(made.decide(NOW)) == [("newer", "a")]


def test_the_relaxing_of_skills_and_a_freed_agent_in_the_same_instant() -> None:
    made = matcher()
    made.join(member("m", rings=CZECH), NOW)
    made.decide(NOW)
    made.set_agent(agent("weak", skills={"cs": 3}, ready_since_ms=NOW))
    made.set_agent(agent("strong", skills={"cs": 5}, ready_since_ms=NOW + 10 * S))
    assert pairs(made.decide(NOW + 10 * S)) == [("m", "strong")]


@pytest.mark.req("R8")
def test_the_agent_who_spoke_with_the_member_last_is_waited_for() -> None:
    made = matcher()
    made.set_agent(agent("own", level=2, state=AgentState.WRAP_UP))
    made.set_agent(agent("other"))
    sticky = member("m", sticky_agent="own", sticky_until_ms=NOW + 20 * S)
    made.join(sticky, NOW)
    assert made.decide(NOW) == []
    assert made.explain("m", NOW + 5 * S) == [
        Passed("other", Why.STICKY, "the member waits for own, for another 15 s at most"),
        Passed("own", Why.NOT_READY, "wrap_up for 65 s"),
    ]
    assert made.next_wake_ms() == NOW + 15 * S  # the second level; then the end of his waiting
    # his own agent takes him before somebody who is worth more, and whatever the level
    made.join(member("first", priority=100, refused_by={"other": NOW + 99 * S}), NOW)
    made.set_agent(agent("own", level=2))
    (offer,) = made.decide(NOW + 5 * S)
    assert (offer.member, offer.agents, offer.score) == ("m", ("own",), "spoke with this caller last; idle for 65 s")


@pytest.mark.parametrize(
    "own",
    [
        agent("own", state=AgentState.BREAK),
        agent("own", state=AgentState.LOGGED_OUT),
        agent("own", state=AgentState.ON_CALL, reachable=False),
        agent("own", "elsewhere"),
        None,
    ],
)
def test_nobody_waits_for_an_agent_who_is_not_on_his_way(own: Any) -> None:
    made = matcher()
    made.set_agent(agent("other"))
    if own is not None:
        made.set_agent(own)
    made.join(member("m", sticky_agent="own", sticky_until_ms=NOW + 20 * S), NOW)
    assert pairs(made.decide(NOW)) == [("m", "other")]


@pytest.mark.parametrize("ends", ["time", "break", "dropped"])
def test_the_wait_for_the_sticky_agent_ends(ends: str) -> None:
    made = matcher()
    made.set_agent(agent("own", state=AgentState.ON_CALL))
    made.set_agent(agent("other"))
    made.join(member("m", sticky_agent="own", sticky_until_ms=NOW + 20 * S), NOW)
    assert made.decide(NOW) == []
    assert made.next_wake_ms() == NOW + 20 * S
    now_ms = NOW + S
    if ends == "time":
        now_ms = NOW + 20 * S
    elif ends == "break":
        made.set_agent(agent("own", state=AgentState.BREAK))
    else:
        made.drop_agent("own")
    assert pairs(made.decide(now_ms)) == [("m", "other")]


@pytest.mark.req("R53")
def test_a_member_whom_nobody_answered_is_back_at_the_front() -> None:
    made = matcher()
    made.set_agent(agent("a"))
    for number in range(3):
        made.join(member(f"m{number}", joined_ms=NOW + number * S), NOW + number * S)
    (offer,) = made.decide(NOW + 3 * S)
    assert offer.member == "m0"
    assert [made.position(f"m{number}") for number in range(3)] == [1, 2, 3], "the one who is offered counts"
    assert [each.id for each in made.waiting("q")] == ["m1", "m2"]
    made.set_agent(agent("a", state=AgentState.BREAK))
    made.put_back(member("m0", refused_by={"a": NOW + 60 * S}), NOW + 20 * S)
    assert [made.position(f"m{number}") for number in range(3)] == [1, 2, 3]
    made.set_agent(agent("b"))
    (offer,) = made.decide(NOW + 21 * S)
    assert (offer.member, offer.agents, offer.waited_ms) == ("m0", ("b",), 21 * S)


def test_who_refused_a_member_is_asked_again_later_and_asked_for_others_at_once() -> None:
    made = matcher()
    made.join(member("m", refused_by={"a": NOW + 10 * S}), NOW)
    made.set_agent(agent("a"))
    assert made.decide(NOW) == []
    assert made.explain("m", NOW) == [Passed("a", Why.REFUSED, "did not take this member, is asked again in 10 s")]
    assert made.next_wake_ms() == NOW + 10 * S
    made.join(member("n", joined_ms=NOW + S), NOW + S)
    assert pairs(made.decide(NOW + S)) == [("n", "a")]
    made.set_agent(agent("a"))
    assert pairs(made.decide(NOW + 10 * S)) == [("m", "a")]


def test_who_refused_the_first_member_takes_the_next_one() -> None:
    made = matcher()
    made.join(member("m", refused_by={"a": NOW + 10 * S}), NOW)
    made.join(member("n", joined_ms=NOW + S), NOW + S)
    made.decide(NOW + S)
    made.set_agent(agent("a"))
    assert pairs(made.decide(NOW + S)) == [("n", "a")]


def test_an_agent_of_two_queues_is_in_one_offer() -> None:
    made = matcher(QueueRules(id="p"), QueueRules(id="q"))
    made.join(member("m", "p", NOW - S), NOW)
    made.join(member("n", "q"), NOW)
    made.set_agent(agent("a", "p", "q"))
    assert pairs(made.decide(NOW)) == [("m", "a")]
    assert made.decide(NOW + 60 * S) == []
    assert made.explain("n", NOW) == [Passed("a", Why.OTHER_MEMBER, "is being offered m")]
    made.leave("m")
    assert made.decide(NOW) == [], "the agent is reserved until he is reported"
    made.set_agent(agent("a", "p", "q"))
    assert pairs(made.decide(NOW)) == [("n", "a")]


@pytest.mark.req("R3")
def test_a_closed_queue_takes_nobody_new_and_serves_those_who_wait() -> None:
    made = matcher()
    made.join(member("m"), NOW)
    made.set_rules(QueueRules(id="q", open=False))
    with pytest.raises(QueueClosed, match=r"queue 'q' is closed: it takes no new members"):
        made.join(member("n"), NOW)
    made.set_agent(agent("a"))
    assert pairs(made.decide(NOW)) == [("m", "a")]
    made.put_back(member("m"), NOW + S)
    made.set_agent(agent("a"))
    assert pairs(made.decide(NOW + S)) == [("m", "a")]


def test_new_rules_hold_for_those_who_wait() -> None:
    made = matcher(QueueRules(id="q", tier_wait_ms=60 * S))
    made.set_agent(agent("first", state=AgentState.ON_CALL))
    made.set_agent(agent("second", level=2))
    made.join(member("m"), NOW)
    assert made.decide(NOW + 5 * S) == []
    made.set_rules(QueueRules(id="q", tier_wait_ms=5 * S))
    assert pairs(made.decide(NOW + 5 * S)) == [("m", "second")]


def test_the_members_of_a_dropped_queue_are_given_back() -> None:
    made = matcher(QueueRules(id="q"), QueueRules(id="p"))
    made.set_agent(agent("a", "p", "q"))
    made.join(member("offered"), NOW)
    made.join(member("waits", joined_ms=NOW + S), NOW + S)
    made.decide(NOW + S)
    assert [each.id for each in made.drop_queue("q")] == ["offered", "waits"]
    assert made.drop_queue("q") == []
    made.set_agent(agent("a", "p", "q"))
    made.join(member("m", "p"), NOW)
    assert pairs(made.decide(NOW + S)) == [("m", "a")]
    # his tier is remembered until the queue is there again
    made.set_rules(QueueRules(id="q"))
    made.set_agent(agent("a", "p", "q"))
    made.join(member("waits"), NOW + S)
    assert pairs(made.decide(NOW + S)) == [("waits", "a")]


def test_a_clock_that_jumps_back_takes_nothing_back() -> None:
    made = matcher()
    made.join(member("m", rings=CZECH), NOW)
    made.decide(NOW + 15 * S)
    made.set_agent(agent("a", skills={"cs": 3}))
    (offer,) = made.decide(NOW - 60 * S)
    assert (offer.agents, offer.waited_ms) == (("a",), 0)


def test_after_a_fail_over_everybody_is_put_where_he_was() -> None:
    made = matcher(QueueRules(id="q", open=False))
    made.put_back(member("n", joined_ms=NOW + S), NOW + 9 * S)
    made.put_back(member("m"), NOW + 9 * S)
    made.set_agent(replace(agent("a"), ready_since_ms=NOW))
    assert pairs(made.decide(NOW + 9 * S)) == [("m", "a")]
    assert made.position("n") == 2
