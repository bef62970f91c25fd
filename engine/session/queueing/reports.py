"""What became of offers and conversations, told to the shared state, and told again until it is known there.

An agent whom nobody reports stays on a call for ever: so what Redis can't take now waits here, in its order for each
agent and each member, until it can.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.event import AsyncResult, Event

from engine.acd.agent import Happening
from engine.acd.states import NotPossible
from engine.acd.store import AcdStore, OfferOver, StoreError, StoreUnavailable, UnknownAgent

log = logging.getLogger(__name__)

RETRY_S = 0.5
ANSWER_S = 2.0
"""So long an answer is waited for where one is needed."""
UNKNOWN_S = 60.0
"""So long an agent may be unknown who was known: after a loss of the shared state agents come back one by one."""


@dataclass(slots=True)
class _Report:
    what: str
    tell: Callable[[], bool]
    """Whether it is so from now on; False where it came too late."""
    answer: AsyncResult | None = None
    """Whoever waits for the answer; such a report is not tried again."""
    since_s: float = field(default_factory=time.monotonic)


class Reports:
    """One for all calls of an engine; `run` is a greenlet."""

    def __init__(self, store: AcdStore) -> None:
        self._store = store
        self._waiting: dict[str, deque[_Report]] = {}
        """By whom they are about. The first of each is tried again."""
        self._telling: set[str] = set()
        """About whom a report is under way."""
        self._wake = Event()

    def now(self, agent: str, happening: Happening) -> bool:
        """Whether it is so from now on; False where it comes too late. Raises StoreError: nobody can tell."""
        answer: AsyncResult = AsyncResult()
        self._report(agent, _Report(_name(agent, happening), lambda: self._change(agent, happening), answer))
        try:
            so: bool = answer.get(timeout=ANSWER_S)
        except gevent.Timeout:
            raise StoreUnavailable(f"no answer within {ANSWER_S:g} s") from None
        return so

    def agent(self, agent: str, happening: Happening) -> None:
        """Report what happened to an agent, in the order of these calls. Never raises."""
        self._report(agent, _Report(_name(agent, happening), lambda: self._change(agent, happening)))

    def left(self, pool: str, member: str, *, gave_up: bool) -> None:
        """Report that a member waits no more. Never raises."""

        def tell() -> bool:
            return self._store.leave(pool, member, gave_up=gave_up) is not None

        self._report(_about(member), _Report(f"leaving of member {member}", tell))

    def run(self) -> None:
        """Try what waits again and again, until the greenlet is killed."""
        while True:
            self._wake.wait()
            self._wake.clear()
            for about in list(self._waiting):
                self._try(about)
            if self._waiting:
                # Further reports wake nobody meanwhile: they stand behind those that can't be told.
                gevent.sleep(RETRY_S)
                self._wake.set()

    def pending_of_member(self, member: str) -> bool:
        """Whether something about this member is not told yet."""
        return _about(member) in self._waiting

    def _report(self, about: str, report: _Report) -> None:
        self._waiting.setdefault(about, deque()).append(report)
        try:
            self._try(about)
        finally:  # also where the greenlet that reports is taken off its call meanwhile
            if about in self._waiting:
                self._wake.set()

    def _try(self, about: str) -> None:
        if about in self._telling:
            return
        self._telling.add(about)
        try:
            reports = self._waiting.get(about, deque())
            while reports and self._told(reports[0]):
                reports.popleft()
            if not reports:
                self._waiting.pop(about, None)
        finally:
            self._telling.discard(about)

    def _told(self, report: _Report) -> bool:
        """Whether nothing is left to be told of it."""
        try:
            so = report.tell()
        except StoreError as fault:
            if report.answer is not None:
                report.answer.set_exception(fault)
                return True
            unknown = isinstance(fault, UnknownAgent)
            if unknown and time.monotonic() - report.since_s >= UNKNOWN_S:
                log.warning("queues: %s is of no use any more: %s", report.what, fault)
                return True
            log.info("queues: %s waits: %s", report.what, fault)
            return False
        if report.answer is not None:
            report.answer.set(so)
        return True

    def _change(self, agent: str, happening: Happening) -> bool:
        try:
            self._store.change(agent, happening)
        except (NotPossible, OfferOver) as late:
            log.debug("queues: not so any more: %s", late)
            return False
        return True


def _about(member: str) -> str:
    return f"member {member}"


def _name(agent: str, happening: Happening) -> str:
    return f"{type(happening).__name__} of agent {agent}"
