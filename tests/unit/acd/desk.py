"""A pool to which tests bring news one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.acd.actions import Action, Dismiss, Release, Reserve, Tell
from engine.acd.agent import Agent, Happening, LogIn, Reserved
from engine.acd.news import Became, MemberNews, News, Place, Stop
from engine.acd.pool import Pool
from engine.acd.states import apply
from engine.acd.store import PoolState
from engine.domain.acd import Member, Tier
from engine.domain.routing import QueueEntry
from tests.unit.acd.people import NOW, member

QUEUES = {"q": QueueEntry(id="q", name="Queue")}


def agent(name: str, *happenings: Happening, queues: tuple[str, ...] = ("q",)) -> Agent:
    """Logged in, and what happened since."""
    record = Agent(id=name, assigned={queue: Tier() for queue in queues})
    for each in (LogIn(), *happenings):
        record = apply(record, each, NOW - 60_000).agent
    return record


def caller(name: str, joined_ms: int = NOW, queue: str = "q", **others: Any) -> Member:
    return member(name, queue, joined_ms, engine="e1", **others)


class Desk:
    """A pool, and the numbers of its news."""

    def __init__(
        self,
        *agents: Agent,
        queues: Mapping[str, QueueEntry] = QUEUES,
        closed_from_ms: int = NOW + 10**9,
        state: PoolState | None = None,
    ) -> None:
        state = replace(state or PoolState(), agents=agents)
        self.pool = Pool(queues, lambda _, at_ms: at_ms < closed_from_ms, state, NOW)

    def hear(self, *things: Agent | MemberNews, at_ms: int = NOW) -> list[Action]:
        """What is decided on these news."""
        place = self.pool.place
        agents = [each for each in things if isinstance(each, Agent)]
        members = [each for each in things if isinstance(each, MemberNews)]
        numbered = [replace(each, number=number) for number, each in enumerate(members, place.members + 1)]
        self.pool.hear(
            News(
                agents=list(enumerate(agents, place.agents + 1)),
                members=numbered,
                last=Place(place.agents + len(agents), place.members + len(members)),
                at_ms=at_ms,
            )
        )
        assert not self.pool.lost
        return self.pool.decide(at_ms)

    def offered(self, *things: Agent | MemberNews, number: str = "7-1", at_ms: int = NOW) -> Reserve:
        """The one offer that follows, made."""
        (action,) = self.hear(*things, at_ms=at_ms)
        assert isinstance(action, Reserve)
        offer = action.offer
        ringing = [apply(each, Reserved(number, offer.member, offer.queue), at_ms).agent for each in action.agents]
        self.pool.reserved(number, offer, ringing, at_ms)
        assert self.pool.decide(at_ms) == []
        return action


def joined(who: Member) -> MemberNews:
    return MemberNews(number=0, became=Became.JOINED, id=who.id, member=who, engine=who.engine)


def left(name: str, offer: str = "", became: Became = Became.LEFT) -> MemberNews:
    return MemberNews(number=0, became=became, id=name, offer=offer, engine="e1")


def back(name: str, offer: str, **refused_by: int) -> MemberNews:
    return MemberNews(number=0, became=Became.BACK, id=name, offer=offer, refused_by=refused_by)


def told(actions: list[Action]) -> list[tuple[str, ...]]:
    """Actions in short."""
    short: list[tuple[str, ...]] = []
    for each in actions:
        match each:
            case Reserve(offer):
                short.append(("reserve", offer.member, *offer.agents))
            case Dismiss(who, reason):
                short.append(("dismiss", who, reason))
            case Tell(engine, Stop(number, who)):
                short.append(("stop", engine, number, who))
            case Release(who, number):
                short.append(("release", who, number))
            case _:
                raise AssertionError(each)
    return short
