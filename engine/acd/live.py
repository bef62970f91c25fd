"""A queue at this moment, for whoever does not own it: its figures as its owner told them, or counted where none does,
and who waits in it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.acd.news import QueueFigures
from engine.acd.ordering import standing
from engine.acd.store import AcdStore, PoolState
from engine.domain.acd import Member
from engine.domain.routing import QueueEntry

FRESH_MS = 5_000
"""Figures older than this are not those of now: for so long nobody has decided for the queue."""


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """`is_led`: an engine decides for the queue. Where none does, only the numbers of people are known: the longest
    wait is 0, and nothing is expected.
    """

    figures: QueueFigures
    is_led: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A member in line. `position` counts from 1; `offered` names the agents who are being rung for him."""

    member: Member
    position: int
    waited_ms: int
    offered: tuple[str, ...] = ()


def in_line(state: PoolState, queue: QueueEntry, now_ms: int) -> list[Waiting]:
    """Who waits in the queue, the first one first; those too whom an agent is being rung for."""
    rules = queue.rules(is_open=True)
    offers = {each.number: each for each in state.offers}
    members = sorted((each for each in state.members if each.queue == queue.id), key=lambda each: standing(each, rules))
    found = []
    for position, member in enumerate(members, 1):
        offer = offers.get(state.offered.get(member.id, ""))
        rung = () if offer is None else tuple(each for each in offer.offer.agents if each in offer.asked)
        found.append(Waiting(member, position, max(now_ms - member.joined_ms, 0), rung))
    return found


def figures(store: AcdStore, queue: str) -> LiveFigures:
    """Of one queue, all 0 where nothing is known of it. Raises StoreUnavailable, StateLost."""
    return _now(store, queue, store.figures(queue), store.now_ms())


def all_figures(store: AcdStore, queues: Collection[str]) -> list[LiveFigures]:
    """Of these queues. Raises StoreUnavailable, StateLost."""
    told, now_ms = {each.queue: each for each in store.all_figures()}, store.now_ms()
    return [_now(store, queue, told.get(queue), now_ms) for queue in queues]


def _now(store: AcdStore, queue: str, told: QueueFigures | None, now_ms: int) -> LiveFigures:
    if told is not None and now_ms - told.at_ms <= FRESH_MS:
        return LiveFigures(told, True)
    counted = store.counts(queue)
    return LiveFigures(
        QueueFigures(
            queue=queue,
            at_ms=now_ms,
            waiting=counted.waiting,
            longest_wait_ms=0,
            logged_in=counted.logged_in,
            ready=counted.ready,
        ),
        False,
    )
