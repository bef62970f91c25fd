"""What the owner of a pool tells each second: where members stand, how long they will wait, and queues' figures.

Members are looked at queue by queue, in turns: `LOOK_AT` of them a second on average, however many wait. A queue that
has more is looked at as a whole, and the next turn comes so much later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from engine.acd.lines import KnownLine, Lines
from engine.acd.matcher import Matcher
from engine.acd.news import Positions, QueueFigures, Told
from engine.acd.staff import Staff
from engine.acd.wait import ExpectedWait
from engine.domain.acd import Member, Standing

LOOK_AT = 1_000
"""Members a second whose standing is looked at: some 5 ms of CPU."""
CHANGED_BY = 0.1
"""By so much of itself an end of the expected range must have changed before it is told again."""
LEAST_CHANGE_MS = 1_000


class Board:
    """What it shows is kept by the pool: `queues` that are known, `members` by id and `there`, their ids by queue.

    To be asked right after a decision.
    """

    def __init__(
        self,
        matcher: Matcher,
        staff: Staff,
        lines: Lines,
        members: Mapping[str, Member],
        queues: Collection[str],
        there: Mapping[str, Collection[str]],
    ) -> None:
        self._matcher, self._staff, self._lines = matcher, staff, lines
        self._members, self._queues, self._there = members, queues, there
        self._told: dict[str, Standing] = {}
        """What each member's engine was told."""
        self._turns: dict[str, None] = {}
        """Queues with members, in the order of their turns."""
        self._left = 0

    def forget(self, member_id: str) -> None:
        """He is gone, or another engine has his call, which was told nothing yet."""
        self._told.pop(member_id, None)

    def positions(self, now_ms: int) -> list[tuple[str, Told]]:
        """What engines have to be told of their members."""
        for queue, members in self._there.items():
            if members and queue in self._queues:
                self._turns.setdefault(queue)
        self._left = min(self._left + LOOK_AT, LOOK_AT)
        changed: defaultdict[str, dict[str, Standing]] = defaultdict(dict)
        while self._turns and self._left > 0:
            queue = next(iter(self._turns))
            del self._turns[queue]
            if queue in self._queues:
                self._left -= len(self._there.get(queue, ()))
                self._look_at(queue, changed, now_ms)
        return [(engine, Positions(of)) for engine, of in changed.items() if engine]

    def _look_at(self, queue: str, changed: Mapping[str, dict[str, Standing]], now_ms: int) -> None:
        order = self._matcher.order(queue)
        waits = self._lines.along(order, now_ms)
        for position, member_id in enumerate(order, 1):
            standing = _standing(position, waits.get(member_id))
            if _is_news(standing, self._told.get(member_id)):
                self._told[member_id] = standing
                changed[self._members[member_id].engine][member_id] = standing

    def figures(self, now_ms: int) -> list[QueueFigures]:
        """Of each queue."""
        return [self._figures(queue, self._there.get(queue, ()), now_ms) for queue in self._queues]

    def known_lines(self, now_ms: int) -> tuple[KnownLine, ...]:
        """What the next owner is to know of the lines."""
        return self._lines.known(now_ms)

    def _figures(self, queue: str, members: Collection[str], now_ms: int) -> QueueFigures:
        first_ms = min((self._members[each].joined_ms for each in members), default=now_ms)
        figures = QueueFigures(
            queue=queue,
            at_ms=now_ms,
            waiting=len(members),
            longest_wait_ms=max(now_ms - first_ms, 0),
            logged_in=self._staff.logged_in(queue),
            ready=self._staff.ready(queue),
        )
        rings = self._lines.usual(queue)
        if figures.ready and self._matcher.is_free_for(queue, rings[0]):
            return replace(figures, expected_wait_ms=0, expected_low_ms=0, expected_high_ms=0)
        expected = self._lines.behind(self._matcher.order(queue), queue, rings, now_ms)
        if expected is None:
            return figures
        return replace(
            figures,
            expected_wait_ms=expected.mean_ms,
            expected_low_ms=expected.low_ms,
            expected_high_ms=expected.high_ms,
        )


def _standing(position: int, wait: ExpectedWait | None) -> Standing:
    return Standing(position) if wait is None else Standing(position, wait.low_ms, wait.high_ms)


def _is_news(standing: Standing, told: Standing | None) -> bool:
    if told is None or told.position != standing.position:
        return True
    return _differ(told.wait_low_ms, standing.wait_low_ms) or _differ(told.wait_high_ms, standing.wait_high_ms)


def _differ(told_ms: int | None, now_ms: int | None) -> bool:
    if told_ms is None or now_ms is None:
        return told_ms != now_ms
    return abs(now_ms - told_ms) > max(CHANGED_BY * told_ms, LEAST_CHANGE_MS)
