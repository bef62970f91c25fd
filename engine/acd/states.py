"""The agent's state machine (R50–R53): one table of what may follow, one function that goes on.

What cannot be is refused: an offer to an agent who has one, an answer to an offer that is no longer his, a timer that
comes too early. What is said twice (ready, a phone that is back) changes nothing. So events that come doubled, late or
in another order do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.acd.agent import (
    Accepted,
    Agent,
    AgentEvent,
    Assigned,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    HeldOffer,
    LogIn,
    LogOut,
    NotAnswered,
    OfferHappening,
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
from engine.domain.acd import AgentState, Tier

LOGGED_OUT, READY, RINGING = AgentState.LOGGED_OUT, AgentState.READY, AgentState.RINGING
ON_CALL, WRAP_UP, BREAK = AgentState.ON_CALL, AgentState.WRAP_UP, AgentState.BREAK
_BUSY = frozenset({RINGING, ON_CALL, WRAP_UP})
_PRESENT = _BUSY | {READY}


class NotPossible(Exception):
    """The agent's state does not allow it. `str` says his state, why, and what is possible."""

    def __init__(self, agent: Agent, what: str, why: str = "") -> None:
        can = ", ".join(possible(agent.state))
        super().__init__(
            f"agent {agent.id} is {agent.state}: {what} is not possible{f' ({why})' if why else ''}; possible is: {can}"
        )
        self.agent = agent
        self.what = what
        self.why = why


@dataclass(frozen=True, slots=True)
class Change:
    """The agent after it, and what is logged; no event where nothing changed."""

    agent: Agent
    event: AgentEvent | None


@dataclass(frozen=True, slots=True)
class Transition:
    """What happens, as it is called in the log, and which states it may lead to from which."""

    name: str
    moves: Mapping[AgentState, tuple[AgentState, ...]]
    step: Callable[[Agent, Any, int], Agent]


def apply(agent: Agent, happening: Happening, at_ms: int) -> Change:
    """The agent after `happening`. Raises NotPossible."""
    transition = TRANSITIONS[type(happening)]
    if agent.state not in transition.moves:
        raise NotPossible(agent, transition.name)
    after = transition.step(agent, happening, at_ms)
    if after == agent:
        return Change(agent, None)
    after = replace(after, version=agent.version + 1)
    return Change(after, _logged(agent, after, transition.name, happening, at_ms))


def possible(state: AgentState) -> tuple[str, ...]:
    """What may happen to an agent in this state, by name."""
    return tuple(each.name for each in TRANSITIONS.values() if state in each.moves)


def _logged(before: Agent, after: Agent, name: str, happening: Happening, at_ms: int) -> AgentEvent:
    why: Break | None = None
    if after.on_break != before.on_break:
        why = after.on_break or before.on_break
    elif after.break_next != before.break_next:
        why = after.break_next or before.break_next
    queue = happening.queue if isinstance(happening, LogIn | LogOut) else after.queue or before.queue
    return AgentEvent(
        agent=after.id,
        version=after.version,
        at_ms=at_ms,
        what=name,
        from_state=before.state,
        to_state=after.state,
        reason=why.reason if why else "",
        kind=why.kind if why else None,
        call=after.call or before.call,
        queue=queue or "",
    )


def _enter(agent: Agent, state: AgentState, at_ms: int, **changes: Any) -> Agent:
    """The agent in another state. A clock that went back costs him nothing: no time is counted for it."""
    spent = max(0, at_ms - agent.since_ms)
    counted = {
        "busy_ms": agent.busy_ms + spent * (agent.state in _BUSY),
        "present_ms": agent.present_ms + spent * (agent.state in _PRESENT),
    }
    return replace(agent, state=state, since_ms=at_ms, **(counted | changes))


def _rest(agent: Agent, at_ms: int, ready_since_ms: int) -> Agent:
    """What he does when nothing holds him: what he asked for meanwhile, else he is ready."""
    free: dict[str, Any] = {
        "offer": None,
        "call": "",
        "queue": "",
        "talking_since_ms": 0,
        "wrap_up_until_ms": 0,
        "ready_since_ms": 0,
        "break_next": None,
        "on_break": None,
    }
    if not agent.tiers:
        return _enter(agent, LOGGED_OUT, at_ms, **free)
    if agent.break_next:
        return _enter(agent, BREAK, at_ms, **free | {"on_break": agent.break_next})
    return _enter(agent, READY, at_ms, **free | {"ready_since_ms": ready_since_ms})


def _leave(agent: Agent, at_ms: int) -> Agent:
    """Logs out an agent without queues, unless a call holds him."""
    if agent.tiers or agent.state in (LOGGED_OUT, RINGING, ON_CALL):
        return agent
    return _rest(agent, at_ms, 0)


# Queues


def _may_choose(agent: Agent, happening: LogIn | LogOut, name: str) -> None:
    if happening.queue is not None and not (agent.may_choose_queues or happening.forced):
        raise NotPossible(agent, name, "he may not choose single queues")


def _log_in(agent: Agent, happening: LogIn, at_ms: int) -> Agent:
    _may_choose(agent, happening, "log_in")
    if happening.queue is None:
        tiers: Mapping[str, Tier] = agent.assigned
        if not tiers:
            raise NotPossible(agent, "log_in", "he is assigned to no queue")
    elif happening.queue not in agent.assigned:
        raise NotPossible(agent, "log_in", f"he is not assigned to queue {happening.queue}")
    else:
        tiers = {**agent.tiers, happening.queue: agent.assigned[happening.queue]}
    anew: dict[str, Any] = {"calls": 0, "talk_ms": 0, "busy_ms": 0, "present_ms": 0} if not agent.tiers else {}
    if agent.state is not LOGGED_OUT:
        return replace(agent, tiers=tiers, **anew)
    return _enter(agent, READY, at_ms, tiers=tiers, ready_since_ms=at_ms, last_offer_ms=0, **anew)


def _log_out(agent: Agent, happening: LogOut, at_ms: int) -> Agent:
    _may_choose(agent, happening, "log_out")
    if happening.queue is None:
        return _leave(replace(agent, tiers={}), at_ms)
    return _leave(replace(agent, tiers=_without(agent.tiers, {happening.queue})), at_ms)


def _assigned(agent: Agent, happening: Assigned, at_ms: int) -> Agent:
    fresh = happening.queues.keys() - agent.assigned.keys() if agent.tiers else set()
    if agent.tiers and not happening.may_choose_queues:
        fresh = set(happening.queues)
    tiers = {queue: tier for queue, tier in happening.queues.items() if queue in agent.tiers or queue in fresh}
    given = replace(
        agent,
        assigned=dict(happening.queues),
        skills=dict(happening.skills),
        may_choose_queues=happening.may_choose_queues,
        tiers=tiers,
    )
    return _leave(given, at_ms)


def _without(tiers: Mapping[str, Tier], queues: Iterable[str]) -> dict[str, Tier]:
    return {queue: tier for queue, tier in tiers.items() if queue not in queues}


# Breaks, wrap-up, the phone


def _ready(agent: Agent, _: Ready, at_ms: int) -> Agent:
    willing = replace(agent, break_next=None)
    return _rest(willing, at_ms, at_ms) if agent.state in (BREAK, WRAP_UP) else willing


def _take_break(agent: Agent, happening: TakeBreak, at_ms: int) -> Agent:
    if agent.state in (RINGING, ON_CALL):
        return replace(agent, break_next=happening.why)
    if agent.on_break == happening.why:
        return agent
    return _rest(replace(agent, break_next=happening.why), at_ms, 0)


def _wrap_up_set(agent: Agent, happening: WrapUpSet, at_ms: int) -> Agent:
    if happening.left_ms <= 0:
        return _rest(agent, at_ms, at_ms)
    return replace(agent, wrap_up_until_ms=at_ms + happening.left_ms)


def _wrap_up_over(agent: Agent, _: WrapUpOver, at_ms: int) -> Agent:
    if at_ms < agent.wrap_up_until_ms:
        raise NotPossible(agent, "wrap_up_over", f"he has {agent.wrap_up_until_ms - at_ms} ms left")
    return _rest(agent, at_ms, at_ms)


def _phone_gone(agent: Agent, _: PhoneGone, _at_ms: int) -> Agent:
    # His place in line stays: a phone that registers anew is away for a moment.
    return replace(agent, reachable=False)


def _phone_back(agent: Agent, _: PhoneBack, _at_ms: int) -> Agent:
    return replace(agent, reachable=True)


# Offers and conversations


def _reserved(agent: Agent, happening: Reserved, at_ms: int) -> Agent:
    if not agent.reachable:
        raise NotPossible(agent, "reserved", "his phone is not registered")
    if happening.queue not in agent.tiers:
        raise NotPossible(agent, "reserved", f"he is not logged in to queue {happening.queue}")
    held = HeldOffer(happening.offer, happening.call, happening.queue, agent.last_offer_ms)
    asked = {"offer": held, "call": happening.call, "queue": happening.queue, "last_offer_ms": at_ms}
    return _enter(agent, RINGING, at_ms, **asked)


def _held(agent: Agent, happening: OfferHappening | ConversationBegan) -> HeldOffer:
    if agent.offer is None:
        raise NotPossible(agent, TRANSITIONS[type(happening)].name, f"he has no offer, {happening.offer} is over")
    if agent.offer.number != happening.offer:
        why = f"his offer is {agent.offer.number}, not {happening.offer}"
        raise NotPossible(agent, TRANSITIONS[type(happening)].name, why)
    return agent.offer


def _accepted(agent: Agent, happening: Accepted, at_ms: int) -> Agent:
    _held(agent, happening)
    return _enter(agent, ON_CALL, at_ms)


def _refused(agent: Agent, happening: Refused, at_ms: int) -> Agent:
    _held(agent, happening)
    return _rest(agent, at_ms, agent.ready_since_ms)


def _not_answered(agent: Agent, happening: NotAnswered, at_ms: int) -> Agent:
    _held(agent, happening)
    return _rest(replace(agent, break_next=agent.break_next or Break(happening.reason)), at_ms, 0)


def _withdrawn(agent: Agent, happening: Withdrawn, at_ms: int) -> Agent:
    held = _held(agent, happening)
    return _rest(replace(agent, last_offer_ms=held.last_offer_ms), at_ms, agent.ready_since_ms)


def _conversation_began(agent: Agent, happening: ConversationBegan, at_ms: int) -> Agent:
    if agent.state is ON_CALL:
        if agent.talking_since_ms:
            raise NotPossible(agent, "conversation_began", f"he speaks in call {agent.call}")
        _held(agent, happening)
        return replace(agent, offer=None, call=happening.call, talking_since_ms=at_ms, calls=agent.calls + 1)
    if happening.offer:
        raise NotPossible(agent, "conversation_began", f"he has not accepted offer {happening.offer}")
    own = {"call": happening.call, "queue": "", "talking_since_ms": at_ms, "ready_since_ms": 0}
    return _enter(agent, ON_CALL, at_ms, **own, on_break=None, break_next=agent.on_break or agent.break_next)


def _conversation_ended(agent: Agent, happening: ConversationEnded, at_ms: int) -> Agent:
    if not agent.talking_since_ms:
        raise NotPossible(agent, "conversation_ended", "none has begun: an accepted offer is withdrawn")
    if agent.call != happening.call:
        raise NotPossible(agent, "conversation_ended", f"he speaks in call {agent.call}, not {happening.call}")
    talked_ms = max(0, at_ms - max(agent.talking_since_ms, agent.since_ms))
    spoken = replace(agent, talk_ms=agent.talk_ms + talked_ms, talking_since_ms=0)
    # Wrap-up that a call of his own interrupted goes on.
    until_ms = max(agent.wrap_up_until_ms, at_ms + happening.wrap_up_ms)
    if until_ms > at_ms and agent.tiers:
        return _enter(spoken, WRAP_UP, at_ms, wrap_up_until_ms=until_ms, ready_since_ms=0)
    return _rest(spoken, at_ms, at_ms)


# The table

_ALL = tuple(AgentState)
_LOGGED_IN = (READY, RINGING, ON_CALL, WRAP_UP, BREAK)
_SAME = {state: (state,) for state in _ALL}
_SAME_LOGGED_IN = {state: (state,) for state in _LOGGED_IN}
_MAY_LEAVE = _SAME | {state: (state, LOGGED_OUT) for state in (READY, WRAP_UP, BREAK)}
_OWN_CALL = dict.fromkeys((LOGGED_OUT, READY, WRAP_UP, BREAK), (ON_CALL,))

TRANSITIONS: Mapping[type, Transition] = {
    LogIn: Transition("log_in", _SAME_LOGGED_IN | {LOGGED_OUT: (READY,)}, _log_in),
    LogOut: Transition("log_out", {state: _MAY_LEAVE[state] for state in _LOGGED_IN}, _log_out),
    Ready: Transition("ready", _SAME_LOGGED_IN | {WRAP_UP: (READY,), BREAK: (READY,)}, _ready),
    TakeBreak: Transition("take_break", _SAME_LOGGED_IN | {READY: (BREAK,), WRAP_UP: (BREAK,)}, _take_break),
    Reserved: Transition("reserved", {READY: (RINGING,)}, _reserved),
    Accepted: Transition("accepted", {RINGING: (ON_CALL,)}, _accepted),
    Refused: Transition("refused", {RINGING: (READY, BREAK, LOGGED_OUT)}, _refused),
    NotAnswered: Transition("not_answered", {RINGING: (BREAK, LOGGED_OUT)}, _not_answered),
    Withdrawn: Transition("withdrawn", dict.fromkeys((RINGING, ON_CALL), (READY, BREAK, LOGGED_OUT)), _withdrawn),
    ConversationBegan: Transition("conversation_began", _OWN_CALL | {ON_CALL: (ON_CALL,)}, _conversation_began),
    ConversationEnded: Transition(
        "conversation_ended", {ON_CALL: (WRAP_UP, READY, BREAK, LOGGED_OUT)}, _conversation_ended
    ),
    WrapUpSet: Transition("wrap_up_set", {WRAP_UP: (WRAP_UP, READY, BREAK)}, _wrap_up_set),
    WrapUpOver: Transition("wrap_up_over", {WRAP_UP: (READY, BREAK)}, _wrap_up_over),
    PhoneGone: Transition("phone_gone", _SAME, _phone_gone),
    PhoneBack: Transition("phone_back", _SAME, _phone_back),
    Assigned: Transition("assigned", _MAY_LEAVE, _assigned),
}
"""What may happen, in the order in which a day goes."""
