"""What has to be done about an agent who is not as he should be: the next step, decided without asking anybody.

`Roster` does it, and asks again until there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.acd.agent import (
    Agent,
    Assigned,
    ConversationEnded,
    Happening,
    PhoneBack,
    PhoneGone,
    Withdrawn,
    WrapUpOver,
)
from engine.acd.states import Change, apply
from engine.domain.acd import AgentState
from engine.domain.routing import AgentEntry


@dataclass(frozen=True, slots=True)
class Drop:
    """He is in the routing data no more, and no call holds him."""


Step = Happening | Drop


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an agent besides his record. `entry`: None where the routing data has him no more.

    `registered`: None where it is not known. `dead`: calls that are over, though nobody told their agents.
    """

    entry: AgentEntry | None
    registered: bool | None
    dead: Collection[str] = ()


def next_step(agent: Agent, known: Known, now_ms: int) -> Step | None:
    """What has to happen to him next; None where he is as he should be."""
    held = _freed(agent, known.dead) or _as_assigned(agent, known.entry)
    return held or _by_phone(agent, known) or _timer(agent, now_ms)


def reachable(entry: AgentEntry, registered: bool | None, so_far: bool) -> bool:
    """Whether an offer would ring somewhere. Offers are made to agents who are ready: that state's phone counts."""
    if entry.rings_mobile(AgentState.READY):
        return True
    return so_far if registered is None else registered


def newcomer(entry: AgentEntry, registered: bool | None) -> Agent:
    """An agent of whom nobody knows anything yet."""
    return Agent(
        id=entry.id,
        reachable=reachable(entry, registered, so_far=False),
        assigned=dict(entry.queues),
        skills=dict(entry.skills),
        may_choose_queues=entry.may_choose_queues,
    )


def come_back(agent: Agent, now_ms: int) -> Change:
    """An agent as he goes on after the shared state was lost, and with it the offer that he had."""
    return apply(agent, Withdrawn(agent.offer.number), now_ms) if agent.offer else Change(agent, None)


def _freed(agent: Agent, dead: Collection[str]) -> Step | None:
    if agent.state is not AgentState.ON_CALL or agent.call not in dead:
        return None
    if agent.talking_since_ms:
        return ConversationEnded(agent.call)
    return Withdrawn(agent.offer.number) if agent.offer else None


def _as_assigned(agent: Agent, entry: AgentEntry | None) -> Step | None:
    if entry is None:
        if agent.state is AgentState.LOGGED_OUT:
            return Drop()
        return Assigned({}, {}, agent.may_choose_queues) if agent.assigned or agent.tiers else None
    wanted = Assigned(entry.queues, entry.skills, entry.may_choose_queues)
    same = wanted == Assigned(agent.assigned, agent.skills, agent.may_choose_queues)
    return None if same else wanted


def _by_phone(agent: Agent, known: Known) -> Step | None:
    if known.entry is None:
        return None
    wanted = reachable(known.entry, known.registered, agent.reachable)
    if wanted == agent.reachable:
        return None
    return PhoneBack() if wanted else PhoneGone()


def _timer(agent: Agent, now_ms: int) -> Step | None:
    over = agent.state is AgentState.WRAP_UP and now_ms >= agent.wrap_up_until_ms
    return WrapUpOver() if over else None
