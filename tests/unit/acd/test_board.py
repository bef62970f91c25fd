"""What the owner of a pool tells each second: positions, expected waits, figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd import board
from engine.acd.agent import Agent, Break, ConversationBegan, ConversationEnded, LogIn, PhoneGone, TakeBreak
from engine.acd.lines import PLAIN, KnownLine
from engine.acd.news import Positions
from engine.acd.states import apply
from engine.acd.store import PoolState
from engine.acd.wait import GroupWaits, Learnt
from engine.domain.acd import Member, Ring, Standing, Tier
from engine.domain.routing import QueueEntry
from tests.unit.acd.desk import QUEUES, Desk, agent, back, caller, joined, left
from tests.unit.acd.people import NOW

LUNCH = TakeBreak(Break("lunch"))
BUSY = ConversationBegan("a call before")
A_MINUTE_EACH = Learnt(at_ms=NOW, taken=100, taken_ms=100 * 60_000)
"""An agent takes a member a minute; nobody gives up."""


def knows(learnt: Learnt = A_MINUTE_EACH, queue: str = "q", rings: tuple[Ring, ...] = PLAIN) -> PoolState:
    return PoolState(lines=(KnownLine(queue, rings, learnt),))


def positions(desk: Desk, at_ms: int = NOW) -> dict[str, Positions]:
    found = {}
    for engine, told in desk.pool.board.positions(at_ms):
        assert isinstance(told, Positions)
        found[engine] = told
    return found


def waits(agents: int, ahead: int, learnt: Learnt = A_MINUTE_EACH, at_ms: int = NOW) -> tuple[int, int]:
    line = GroupWaits(NOW, learnt=learnt)
    line.staffed(agents, NOW)
    expected = line.expected(ahead, at_ms)
    assert expected is not None
    return expected.low_ms, expected.high_ms


@pytest.mark.req("R30")
def test_positions_are_told_to_whom_they_changed_for() -> None:
    desk = Desk(agent("alice", LUNCH))
    other = replace(caller("m2", NOW + 1), engine="e2")
    desk.hear(joined(caller("m1")), joined(other), joined(caller("m3", NOW + 2)))
    of = {"m1": Standing(1), "m3": Standing(3)}
    assert positions(desk) == {"e1": Positions(of), "e2": Positions({"m2": Standing(2)})}
    assert positions(desk) == {}
    desk.hear(left("m1"), at_ms=NOW + 5)
    assert positions(desk) == {"e1": Positions({"m3": Standing(2)}), "e2": Positions({"m2": Standing(1)})}
    desk.hear(joined(replace(other, engine="e3")), at_ms=NOW + 6)
    assert positions(desk) == {"e3": Positions({"m2": Standing(1)})}, "the engine that took the call up"


@pytest.mark.req("R30")
def test_the_expected_wait_is_told_with_the_position_and_again_when_it_changed() -> None:
    desk = Desk(agent("alice", BUSY), state=knows())
    desk.hear(joined(caller("m1")), joined(caller("m2", NOW + 1)))
    of = {"m1": Standing(1, *waits(1, 0)), "m2": Standing(2, *waits(1, 1))}
    assert positions(desk) == {"e1": Positions(of)}
    assert of["m1"].wait_low_ms is not None
    assert of["m1"].wait_low_ms < 60_000 < (of["m1"].wait_high_ms or 0)
    assert positions(desk, NOW + 1_000) == {}, "a second changes too little"
    desk.hear(agent("bob", BUSY), at_ms=NOW + 1_000)
    told = positions(desk, NOW + 1_000)["e1"].of
    assert told.keys() == {"m1", "m2"}, "two agents, half the wait"
    assert told["m1"].wait_high_ms == pytest.approx(waits(2, 0)[1], rel=0.01)
    desk.hear(
        apply(agent("bob", BUSY), ConversationEnded("a call before", 60_000), NOW).agent,
        joined(caller("m3", NOW + 1_000)),
        at_ms=NOW + 1_000,
    )
    assert positions(desk, NOW + 1_000)["e1"].of.keys() == {"m3"}, "who has just joined"
    gone = [apply(agent("bob", BUSY), ConversationEnded("a call before"), NOW).agent, agent("alice", BUSY, PhoneGone())]
    desk.hear(*(replace(each, version=99, reachable=False) for each in gone), at_ms=NOW + 1_000)
    assert set(positions(desk, NOW + 1_000)["e1"].of.values()) == {Standing(1), Standing(2), Standing(3)}, "unsure"


@pytest.mark.req("R30")
def test_nothing_is_foretold_to_whom_an_agent_is_being_rung_for() -> None:
    desk = Desk(agent("alice", BUSY), state=knows())
    desk.hear(joined(caller("m1")), joined(caller("m2", NOW + 1)))
    positions(desk)
    free = apply(agent("alice", BUSY), ConversationEnded("a call before"), NOW).agent
    desk.offered(free, number="7-1")
    of = positions(desk)["e1"].of
    assert of["m1"] == Standing(1)
    assert of["m2"].wait_high_ms == pytest.approx(waits(1, 0)[1], rel=0.02), "the next agent is his"
    busy = replace(free, version=99, reachable=True, state=agent("x", BUSY).state)
    desk.hear(busy, back("m1", "7-1"))
    assert positions(desk)["e1"].of.keys() == {"m1", "m2"}, "he waits again, before the other one"


@pytest.mark.req("R30")
def test_an_owner_learns_and_the_next_one_begins_with_it() -> None:
    desk = Desk(agent("alice", BUSY))
    record, at_ms = agent("alice", BUSY), NOW
    desk.hear(*(joined(caller(f"m{n}", NOW + n)) for n in range(20)))
    for n in range(10):
        at_ms += 30_000
        record = apply(record, ConversationEnded(record.call), at_ms).agent
        made = desk.offered(record, number=f"7-{n}", at_ms=at_ms)
        record = apply(replace(record, version=record.version + 1), BUSY, at_ms).agent
        desk.hear(record, left(made.offer.member, f"7-{n}"), at_ms=at_ms)
        desk.hear(replace(left(f"m{19 - n}"), gave_up=n % 2 == 0), at_ms=at_ms)
    (line,) = desk.pool.board.known_lines(at_ms)
    assert (line.queue, line.rings) == ("q", PLAIN)
    assert line.learnt.taken == pytest.approx(10, rel=0.05)
    assert line.learnt.taken / line.learnt.taken_ms == pytest.approx(1 / 30_000, rel=0.05)
    assert line.learnt.gave_up == pytest.approx(5, rel=0.05), "by a key, by a limit: these gave up nothing"
    follows = Desk(record, state=replace(knows(line.learnt), members=(caller("m99", at_ms),)))
    assert follows.pool.decide(at_ms) == []
    (standing,) = positions(follows, at_ms)["e1"].of.values()
    assert standing == Standing(1, *waits(1, 0, line.learnt, at_ms))


@pytest.mark.req("R30")
def test_so_many_members_a_second_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "LOOK_AT", 2)
    queues = {name: QueueEntry(id=name, name=name) for name in ("a", "b", "long")}
    sizes = {"a": 2, "b": 2, "long": 6}
    desk = Desk(agent("alice", LUNCH, queues=tuple(queues)), queues=queues)
    desk.hear(*(joined(caller(f"{queue}{n}", NOW + n, queue)) for queue in queues for n in range(sizes[queue])))
    turns: list[set[str]] = []
    for _ in range(12):
        of = positions(desk).get("e1", Positions({})).of
        turns.append({member.rstrip("0123456789") for member in of})
        for member in of:
            desk.pool.board.forget(member)
    assert sorted(map(len, turns[:2])) == [1, 1], "a queue is told as a whole"
    assert sum(sizes[queue] for turn in turns for queue in turn) <= 2 * 12 + max(sizes.values())
    assert all(sum(queue in turn for turn in turns) >= 2 for queue in queues), "every queue has its turn"


@pytest.mark.req("R6")
def test_figures() -> None:
    desk = Desk(agent("alice"), agent("bob", LUNCH), agent("carl", PhoneGone()))
    (before,) = desk.pool.board.figures(NOW)
    assert (before.waiting, before.longest_wait_ms, before.logged_in, before.ready) == (0, 0, 3, 1)
    desk.offered(joined(caller("m1", NOW - 4_000)), joined(caller("m2")))
    (after,) = desk.pool.board.figures(NOW + 1_000)
    assert (after.waiting, after.longest_wait_ms, after.logged_in, after.ready) == (2, 5_000, 3, 0)
    assert (after.queue, after.at_ms) == ("q", NOW + 1_000)


def expected(desk: Desk, at_ms: int = NOW) -> tuple[int | None, int | None, int | None]:
    (figures,) = desk.pool.board.figures(at_ms)
    return figures.expected_wait_ms, figures.expected_low_ms, figures.expected_high_ms


@pytest.mark.req("R6", "R30")
def test_the_expected_wait_of_who_would_join_now() -> None:
    assert expected(Desk(agent("alice", BUSY))) == (None, None, None), "too little is known"
    assert expected(Desk(state=knows())) == (None, None, None), "nobody is there"
    assert expected(Desk(agent("alice"))) == (0, 0, 0), "an agent is free"
    desk = Desk(agent("alice", BUSY), state=knows())
    assert expected(desk) == (60_000, *waits(1, 0)), "the first one waits for the end of a call"
    desk.hear(joined(caller("m1")), joined(caller("m2", NOW + 1)))
    assert expected(desk) == (180_000, *waits(1, 2))


@pytest.mark.req("R6")
def test_an_agent_who_is_not_asked_yet_makes_no_wait_of_nothing() -> None:
    def tier(who: Agent, level: int) -> Agent:
        record = Agent(id=who.id, assigned={"q": Tier(level)})
        return apply(record, LogIn(), NOW - 60_000).agent

    assert expected(Desk(tier(agent("bob"), 2))) == (0, 0, 0), "the lowest level at which anybody is"
    assert expected(Desk(agent("alice", BUSY), tier(agent("bob"), 2))) == (None, None, None)


@pytest.mark.req("R6")
def test_where_all_ask_for_skills_the_usual_ones_are_meant() -> None:
    czech = (Ring(0, {"czech": 5}),)
    speaks = replace(agent("alice"), skills={"czech": 5})

    def wants(name: str) -> Member:
        return caller(name, rings=czech)

    desk = Desk(replace(agent("bob", BUSY), skills={"czech": 5}), state=knows(rings=czech))
    assert expected(desk) == (60_000, *waits(1, 0))
    desk.hear(joined(wants("m1")))
    assert expected(desk) == (120_000, *waits(1, 1))
    assert expected(Desk(agent("carl"), state=knows(rings=czech))) == (None, None, None), "free, and of no use"
    assert expected(Desk(speaks, state=knows(rings=czech))) == (0, 0, 0)


def test_a_queue_that_is_dropped_is_not_told_of_any_more() -> None:
    desk = Desk(agent("alice", BUSY), state=knows())
    desk.hear(joined(caller("m1")))
    desk.pool.set_queues({}, NOW)
    assert positions(desk) == {}
    assert desk.pool.board.figures(NOW) == []
    desk.pool.set_queues(QUEUES, NOW)
    desk.pool.decide(NOW)
    assert positions(desk)["e1"].of == {"m1": Standing(1)}, "the line begins anew"
