"""One visit of a queue: from joining until an agent talks with the caller, or until he leaves another way.

Everything that happens comes into one mailbox: messages of the queue's owner, what becomes of phones, keys, the hangup.
The session's greenlet takes it out one by one, so nothing here happens at the same time.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from gevent.queue import Empty, Queue

from engine.acd.agent import ConversationBegan, Withdrawn
from engine.acd.news import Leave, Offered, Stop
from engine.acd.store import StoreError
from engine.domain.acd import Accept, Offer, Ring, Standing
from engine.domain.journal import QueueEvent
from engine.domain.routing import OverflowReason, QueueEntry
from engine.session.beside import beside
from engine.session.connect import play_to
from engine.session.queueing.inbox import ALONE_S, Alone, Lost, Mail
from engine.session.queueing.moments import Moments
from engine.session.queueing.ringing import NotRung, Pressed, Ringing, Rung, Taker
from engine.session.queueing.waiting import Waiting
from engine.switch.port import NOT_DONE, Channel, ChannelEnd, ChannelGone, SwitchLost
from ivr_flows.instructions import RINGBACK, Enqueue
from ivr_flows.results import Onward, QueueLeft, Result

if TYPE_CHECKING:
    from engine.session.log import CallLog
    from engine.session.queueing.queueing import Queueing

log = logging.getLogger(__name__)

JOIN_AGAIN_S = 0.5
SAY_AGAIN_S = 30.0
"""How often a call says again that it waits: should a message to it have been lost, that puts it right."""
GONE_WITHIN_S = 0.5
"""So long the news of the caller's hangup may be on its way where he could not be joined with an agent."""
FAILED = "NORMAL_TEMPORARY_FAILURE"
"""Of the leg of an agent who could not be joined with the caller."""
LATE_S = 5.0
"""So long after the longest wait the call leaves by itself, where the queue's owner has not said so."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the caller wants to wait. `joined_ms`: since when he has waited already; None: he comes now."""

    priority: int
    rings: tuple[Ring, ...]
    sticky_agent: str | None
    max_wait_s: int | None
    joined_ms: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the caller pressed."""

    key: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The caller's channel: how it ended, None where only the connection to the switch did."""

    end: ChannelEnd | None


Event = Mail | Rung | Pressed | NotRung | Key | Gone


class Visit:
    """`run` gives the result, or raises ChannelGone (they talked, or the caller hung up waiting) or SwitchLost."""

    def __init__(
        self,
        service: Queueing,
        instruction: Enqueue,
        entry: QueueEntry,
        wish: Wish,
        channel: Channel,
        call: CallLog,
        waiting: Waiting,
        moments: Moments,
        hear: Callable[[], object],
    ) -> None:
        self._service = service
        self._instruction, self._entry, self._wish = instruction, entry, wish
        self._channel, self._call, self._waiting, self._hear = channel, call, waiting, hear
        self._mail: Queue[Event] = Queue()
        self._ringing: Ringing | None = None
        self._past: set[str] = set()
        """Numbers of the offers that came."""
        self._joined = False
        self._say_again_s = 0.0
        self._moments = moments
        self._wait_until_ms = 0
        self._began_s = time.monotonic()

    def run(self) -> Result:
        service, put = self._service, self._mail.put
        undo = [
            self._channel.on_end(lambda end: put(Gone(end))),
            self._channel.on_key(lambda key: put(Key(key))),
        ]
        try:
            with service.inbox.of(self._call.call_id, self._entry.id, put):
                self._join()
                self._waiting.start(self._hear)
                while True:
                    left = self._one()
                    if left is not None:
                        self._silence()
                        return left
        finally:
            for take_back in undo:
                take_back()
            self._waiting.abandon()
            if self._ringing is not None:
                self._ringing.cancel()
            service.released(self._call.call_id)

    def _one(self) -> QueueLeft | None:
        """The next thing that happens."""
        try:
            event: Event | None = self._mail.get(timeout=self._next_s())
        except Empty:
            event = None
        match event:
            case Gone(end):
                self._gone(end)
            case Key(key) if key in self._instruction.exit_keys:
                self._channel.forget_keys()
                return self._leave("key", key)
            case Offered():
                self._offered(event)
            case Stop(number, _):
                self._stop(number)
            case Leave(_, queue, reason) if queue == self._entry.id:
                # He is out already, unless his engine died before it read that and he has joined again since.
                return self._leave(reason)
            case Standing():
                self._waiting.tell(event)
            case Lost():
                self._lost()
            case Alone():
                return self._leave(OverflowReason.CLOSED) if self._ringing is None else None
            case Rung() | Pressed() | NotRung():
                self._phone(event)
        return self._due()

    # Joining, and leaving

    def _join(self) -> None:
        try:
            member, now_ms = self._service.join(self._call.call_id, self._entry, self._wish)
        except StoreError as error:
            log.warning("call %s: can't join queue %s now: %s", self._call.call_id, self._entry.id, error)
            return
        first, self._joined = not self._joined, True
        self._say_again_s = time.monotonic() + SAY_AGAIN_S
        self._moments.told(now_ms)
        self._waiting.joined_ms, self._wait_until_ms = member.joined_ms, member.wait_until_ms
        if self._wish.joined_ms is None:
            self._wish = replace(self._wish, joined_ms=member.joined_ms)
            self._call.add(QueueEvent("joined", self._entry.id, happened_ms=member.joined_ms))
        if first:
            self._service.conversations.prepare(self._channel, self._call)

    def _next_s(self) -> float:
        if not self._joined:
            return JOIN_AGAIN_S
        return max(JOIN_AGAIN_S, min(self._late_s(), self._say_again_s - time.monotonic()))

    def _late_s(self) -> float:
        """Until the call leaves by itself."""
        if not self._wait_until_ms:
            return math.inf
        return (self._wait_until_ms - self._moments.now_ms()) / 1000 + LATE_S

    def _due(self) -> QueueLeft | None:
        """What time alone brings, where the queue's owner did not."""
        if self._ringing is not None:
            return None
        if not self._joined:
            if time.monotonic() - self._began_s >= ALONE_S:
                return self._leave(OverflowReason.CLOSED)
            self._join()
            return None
        if self._late_s() <= 0:
            return self._leave(OverflowReason.TIMEOUT)
        if time.monotonic() >= self._say_again_s:
            self._join()
        return None

    def _leave(self, why: str, key: str | None = None) -> QueueLeft:
        if self._ringing is not None:
            self._ringing.withdraw()
            self._ringing = None
        self._service.left(self._call.call_id, gave_up=False)
        return self._left(why, key)

    def _left(self, why: str, key: str | None = None) -> QueueLeft:
        onward = None
        if key is None and (overflow := self._entry.overflow.get(OverflowReason(why))) is not None:
            onward = Onward(overflow.kind.value, overflow.target)
        return QueueLeft(str(why), key, self._waiting.waited_ms(), onward)  # type: ignore[arg-type]

    def _gone(self, end: ChannelEnd | None) -> NoReturn:
        if end is None:
            raise SwitchLost(f"call {self._call.call_id}: connection lost while waiting")
        raise ChannelGone(end)

    def _lost(self) -> None:
        """The shared state is empty: nobody is offered any more, and he waits where he waited."""
        if self._ringing is not None:
            self._ringing.withdraw()
            self._ringing = None
        self._joined = False
        self._began_s = time.monotonic()
        self._join()

    # Offers

    def _silence(self) -> None:
        try:
            self._waiting.stop()
        except NOT_DONE as fault:
            log.warning("call %s: what he heard in the queue does not stop: %s", self._call.call_id, fault)

    def _offered(self, offered: Offered) -> None:
        if offered.offer.queue != self._entry.id:
            self._service.give_back(offered)  # of the queue that he has left
            return
        if offered.number in self._past:
            return
        self._past.add(offered.number)
        if self._ringing is not None:
            self._ringing.withdraw()
        self._ringing = Ringing(
            offered,
            self._channel,
            self._call,
            self._service.conversations,
            self._service.reports,
            self._mail.put,
        )
        self._ringing.begin(self._service.whom(offered.offer.agents, self._call))
        self._unless_over()

    def _stop(self, number: str) -> None:
        if self._ringing is not None and self._ringing.number == number:
            self._ringing.withdraw()
            self._unless_over()

    def _phone(self, event: Rung | Pressed | NotRung) -> None:
        ringing = self._ringing
        if ringing is None or ringing.number != event.offer:
            return
        taker = None
        match event:
            case Rung(_, agent, outcome):
                taker = ringing.rung(agent, outcome, self._question)
            case Pressed():
                taker = ringing.pressed(event)
            case NotRung(_, agent):
                ringing.not_rung(agent)
        self._unless_over()
        if taker is not None:
            self._ringing = None
            self._talk(ringing.offer, ringing.number, taker)

    def _question(self) -> list[str]:
        return self._service.question(self._entry, self._instruction.language)

    def _unless_over(self) -> None:
        if self._ringing is not None and self._ringing.over:
            self._ringing = None

    def _talk(self, offer: Offer, number: str, taker: Taker) -> None:
        """Join the two. Comes back only where that failed: then he waits again."""
        service, call, channel = self._service, self._call, self._channel
        service.taken(call.call_id, taker.agent)
        try:
            self._waiting.stop()
            # Who pressed a key has heard it with the question.
            whisper = service.whisper(self._entry) if offer.accept is not Accept.KEY else []
            if whisper:
                channel.start_playing(service.media.available((RINGBACK,)))
                control = service.conversations.control(channel.info.switch)
                beside(channel, lambda: play_to(control, taker.leg, whisper))
            talking = service.conversations.talk(taker.leg, taker.whom, channel, call, record=self._instruction.record)
        except NOT_DONE as refused:
            log.warning("call %s: not joined with agent %s: %s", call.call_id, taker.agent, refused)
            service.conversations.kill(channel.info.switch, taker.leg)
            end = channel.wait_end(GONE_WITHIN_S)
            if end is not None:
                raise ChannelGone(end) from refused
            service.conversations.leg_ended(call, taker.leg, taker.whom.party, "agent", FAILED)
            service.recorder.stop(channel, call)
            service.released(call.call_id)
            service.reports.agent(taker.agent, Withdrawn(number, refuses=True))
            self._waiting.start(self._hear)
            return
        service.reports.agent(taker.agent, ConversationBegan(call.call_id, number))
        raise talking.wait_for_end()
