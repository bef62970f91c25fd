"""The phones that ring for one offer. What becomes of them comes into the member's mailbox."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gevent

from engine.acd.agent import (
    PHONE_FAILED,
    Accepted,
    Happening,
    NotAnswered,
    PhoneGone,
    Refused,
    Withdrawn,
)
from engine.acd.news import Offered
from engine.acd.store import StoreError
from engine.domain.acd import Accept
from engine.domain.journal import LegEvent, QueueEvent
from engine.session.conversation import Conversations, Whom
from engine.session.log import CallLog
from engine.session.queueing.reports import Reports
from engine.switch.port import LOST_CAUSE, NOT_DONE, Channel, Originate, Originated, SwitchError

log = logging.getLogger(__name__)

KEY_TO_ACCEPT = "1"
KEY_WITHIN_MS = 10_000
"""So long an agent may think who is asked to press a key."""
AGAIN_S = 1.0
"""An agent whom the switch could not ring through no fault of his is not given back before; or he would be asked again
at once, and again."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of a phone that rang."""

    offer: str
    agent: str
    outcome: Originated


@dataclass(frozen=True, slots=True)
class Pressed:
    """Whether the agent who answered pressed the key, or let the time go by; or he hung up."""

    offer: str
    agent: str
    accepted: bool
    hung_up: bool = False


@dataclass(frozen=True, slots=True)
class NotRung:
    """The switch did not take the order to ring."""

    offer: str
    agent: str


@dataclass(frozen=True, slots=True)
class Taker:
    """Who took the member, and on which leg."""

    agent: str
    whom: Whom
    leg: str


@dataclass(slots=True)
class _Phone:
    whom: Whom
    originate: Originate
    take_back: Callable[[], None] = lambda: None
    asking: gevent.Greenlet | None = None


class Ringing:
    """Of one offer, from its arrival until somebody took the member or nobody is asked any more."""

    def __init__(
        self,
        offered: Offered,
        channel: Channel,
        call: CallLog,
        conversations: Conversations,
        reports: Reports,
        put: Callable[[Rung | Pressed | NotRung], None],
    ) -> None:
        self.number = offered.number
        self.offer = offered.offer
        self._channel, self._call = channel, call
        self._conversations, self._reports, self._put = conversations, reports, put
        self._phones: dict[str, _Phone] = {}
        self._waiting: set[str] = set()
        """Agents whom the switch could not ring, before they are given back."""

    @property
    def over(self) -> bool:
        """Whether nobody is asked any more."""
        return not self._phones and not self._waiting

    def begin(self, agents: Mapping[str, Whom]) -> None:
        """Ring them all. `agents`: those of the offer who are known; the others are given back."""
        self._call.add(QueueEvent("offered", self.offer.queue, self.number, self.offer.agents))
        for agent in self.offer.agents:
            if agent in agents:
                self._ring(agent, agents[agent])
            else:
                self._report(agent, NotAnswered(self.number, PHONE_FAILED))

    def _ring(self, agent: str, whom: Whom) -> None:
        try:
            originate = self._conversations.ring(
                whom,
                self._channel,
                self._call,
                ring_timeout_s=max(1, round(self.offer.ring_ms / 1000)),
                caller_id=self._conversations.caller_id(self._call),
                auto_answer=self.offer.accept is Accept.AT_ONCE,
                prepared=True,
                queue=self.offer.queue,
            )
        except NOT_DONE as refused:
            log.warning("call %s: agent %s not rung: %s", self._call.call_id, agent, refused)
            self._waiting.add(agent)
            gevent.spawn_later(AGAIN_S, self._put, NotRung(self.number, agent))
            return
        phone = self._phones[agent] = _Phone(whom, originate)
        phone.take_back = originate.on_done(lambda outcome: self._put(Rung(self.number, agent, outcome)))

    def rung(self, agent: str, outcome: Originated, question: Callable[[], list[str]]) -> Taker | None:
        """A phone was answered or not. `question`: what an agent hears who must press a key."""
        phone = self._phones.get(agent)
        if phone is None:
            return None
        if outcome.outcome != "answered":
            self._end(agent, outcome.cause)
            for happening in self._meaning(outcome):
                self._report(agent, happening)
            return None
        self._call.add(LegEvent(phone.originate.leg, "answered", phone.whom.party, phone.whom.kind))
        if self.offer.accept is Accept.KEY:
            phone.asking = gevent.spawn(self._ask, agent, phone, question)
            return None
        return self._accept(agent)

    def pressed(self, answer: Pressed) -> Taker | None:
        """An agent who was asked for a key pressed it or not."""
        agent = answer.agent
        if agent not in self._phones:
            return None
        if answer.accepted:
            return self._accept(agent)
        self._hang_up(agent, "CALL_REJECTED" if answer.hung_up else "NO_ANSWER")
        self._report(agent, Refused(self.number) if answer.hung_up else NotAnswered(self.number))
        return None

    def not_rung(self, agent: str) -> None:
        """The pause is over after which he is given back."""
        if agent in self._waiting:
            self._waiting.discard(agent)
            self._report(agent, Withdrawn(self.number))

    def withdraw(self, cause: str = "LOSE_RACE") -> None:
        """Stop ringing and give everybody back."""
        for agent in [*self._phones, *self._waiting]:
            if agent in self._phones:
                self._hang_up(agent, cause)
            self._waiting.discard(agent)
            self._report(agent, Withdrawn(self.number))

    def cancel(self) -> None:
        """Stop ringing, and tell nobody: the call ends, or another engine has it now."""
        for phone in self._phones.values():
            self._silence(phone)
        self._phones.clear()
        self._waiting.clear()

    def _accept(self, agent: str) -> Taker | None:
        try:
            accepted = self._reports.now(agent, Accepted(self.number))
        except StoreError as unknown:
            log.warning("call %s: agent %s answered, but nobody can tell: %s", self._call.call_id, agent, unknown)
            self._hang_up(agent, "NORMAL_TEMPORARY_FAILURE")
            self._report(agent, Withdrawn(self.number))
            return None
        phone = self._phones.get(agent)
        if phone is None:
            return None
        if not accepted:
            self._hang_up(agent, "LOSE_RACE")
            self._report(agent, Withdrawn(self.number))
            return None
        del self._phones[agent]
        self._call.add(QueueEvent("accepted", self.offer.queue, self.number, (agent,)))
        self.withdraw()
        return Taker(agent, phone.whom, phone.originate.leg)

    def _ask(self, agent: str, phone: _Phone, question: Callable[[], list[str]]) -> None:
        control = self._conversations.control(self._channel.info.switch)
        try:
            key = control.ask(phone.originate.leg, question(), KEY_TO_ACCEPT, KEY_WITHIN_MS)
        except SwitchError as gone:
            log.info("call %s: agent %s did not accept: %s", self._call.call_id, agent, gone)
            self._put(Pressed(self.number, agent, accepted=False, hung_up=True))
        else:
            self._put(Pressed(self.number, agent, accepted=key is not None))

    def _meaning(self, outcome: Originated) -> list[Happening]:
        match outcome.outcome:
            case "no_answer":
                return [NotAnswered(self.number)]
            case "busy" | "rejected":
                return [Refused(self.number)]
            case "not_registered":
                return [PhoneGone(), Withdrawn(self.number)]
            case "failed" if outcome.cause != LOST_CAUSE:
                return [NotAnswered(self.number, PHONE_FAILED)]
        return [Withdrawn(self.number)]

    def _hang_up(self, agent: str, cause: str) -> None:
        self._silence(self._phones[agent])
        self._end(agent, cause)

    def _silence(self, phone: _Phone) -> None:
        phone.take_back()
        phone.originate.cancel()
        if phone.asking is not None and phone.asking is not gevent.getcurrent():
            phone.asking.kill(block=False)

    def _end(self, agent: str, cause: str) -> None:
        phone = self._phones.pop(agent)
        self._conversations.leg_ended(self._call, phone.originate.leg, phone.whom.party, phone.whom.kind, cause)

    def _report(self, agent: str, happening: Happening) -> None:
        self._reports.agent(agent, happening)
