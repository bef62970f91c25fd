"""`AcdStore` on Redis. What is done there, and in which keys, is in `store_scripts`.

The client must not send a command again by itself (`Retry(NoBackoff(), 0)`): a step that was done and not answered
would be told as done by somebody else.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import orjson
import redis
from redis.client import Pipeline

from engine.acd import store_lines as lines
from engine.acd import store_scripts as scripts
from engine.acd.agent import Agent, AgentEvent, Happening
from engine.acd.lines import KnownLine
from engine.acd.news import Explanation, News, Place, QueueFigures, Told, from_lines, to_lines
from engine.acd.states import Change, apply
from engine.acd.store import (
    ASK_AGAIN_AFTER_MS,
    Lease,
    LeaseLost,
    MemberGone,
    OfferOver,
    Outdated,
    PoolState,
    QueueCounts,
    Reservation,
    StateLost,
    StoreUnavailable,
    UnknownAgent,
    check_logged_out,
    offer_step,
    reserved,
)
from engine.domain.acd import Member, Offer
from engine.domain.routing import OverflowReason

log = logging.getLogger(__name__)

_EVENTS = "cw:acd:events"
_SWEEP = 1000
_MOST_NEWS = 1000


class RedisStore:
    """One for each process; greenlets may share it."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._generation = ""
        self._next = uuid.uuid4().hex
        """What this engine would call a state that it began."""
        self._lost = ""
        """The generation that was found to be lost, until the next `attach`."""
        self._seen: dict[int, int] = {}
        """Leases of this generation by number: the last step that was answered."""
        self._offers: dict[int, itertools.count[int]] = {}
        self._numbers: dict[str, int] = {}
        """The last numbers of this generation's news that were seen."""

    def attach(self) -> bool:
        # Asked again after no answer, it is told of the state that it began then.
        began = self._ask(scripts.ATTACH, self._next, self._lost)[1].decode()
        lost, self._lost = self._lost, ""
        if began == self._generation:
            return False
        self._generation = began
        self._seen.clear()
        self._numbers.clear()
        if began != self._next:
            return False
        self._next = uuid.uuid4().hex
        if lost:
            self._sweep(lost)
        return True

    def now_ms(self) -> int:
        try:
            seconds, micros = self._redis.time()
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return seconds * 1000 + micros // 1000

    # Leases

    def acquire(self, pool: str, owner: str, for_ms: int) -> Lease | None:
        answer = self._done(scripts.ACQUIRE, pool, owner, for_ms)
        if not answer:
            return None
        lease = Lease(pool, owner, int(answer[0]), int(answer[1]))
        self._saw(lease, answer[2])
        return lease

    def renew(self, lease: Lease, for_ms: int) -> Lease:
        until_ms, step = self._led(lease, scripts.RENEW, for_ms)
        self._saw(lease, step)
        return replace(lease, until_ms=int(until_ms))

    def release(self, lease: Lease) -> None:
        try:
            self.renew(lease, 0)
        except LeaseLost:
            return

    # Agents

    def add_agent(self, agent: Agent, event: AgentEvent | None = None) -> None:
        self._done(scripts.CHANGE, lines.changes([(None, Change(agent, event))]), "", "", 0)

    def drop_agent(self, agent: Agent) -> None:
        check_logged_out(agent)
        self._done(scripts.DROP, lines.changes([(agent, Change(agent, None))]))

    def agent(self, agent_id: str) -> Agent:
        return self._look(agent_id)[0]

    def change(self, agent_id: str, happening: Happening) -> Change:
        step = offer_step(happening)
        there, at_ms = self._look(agent_id)
        while True:
            change = apply(there, happening, at_ms)
            if change.event is None:
                return change
            number, kind = (step.number, step.kind) if step else ("", "")
            refused_ms = ASK_AGAIN_AFTER_MS if step and step.refuses else 0
            try:
                self._done(scripts.CHANGE, lines.changes([(there, change)]), number, kind, refused_ms)
            except Outdated as outdated:
                # Somebody else's change was first: what happened now happens to what he is since.
                if not outdated.agents:
                    raise UnknownAgent(agent_id) from None
                there = outdated.agents[0]
                continue
            except _Over:
                raise OfferOver(number) from None
            return change

    def reserve(
        self, lease: Lease, offer: Offer, agents: Sequence[Agent], why: Explanation | None = None
    ) -> Reservation:
        number = f"{lease.number}-{next(self._offers.setdefault(lease.number, itertools.count(1)))}"
        changes = reserved(number, offer, agents)
        known = {agent.id: agent for agent in agents}
        sent = lines.changes([(known[each.agent.id], each) for each in changes])
        try:
            (step,) = self._led(
                lease, scripts.RESERVE, number, offer.member, orjson.dumps(offer), sent, why.to_json() if why else ""
            )
        except _Gone:
            raise MemberGone(offer.member) from None
        self._saw(lease, step)
        return Reservation(number, changes)

    # Members

    def join(self, pool: str, member: Member) -> Member:
        line = orjson.dumps(member)
        there, refused = self._done(scripts.JOIN, pool, member.id, member.queue, member.joined_ms, line, member.engine)
        return lines.member(there, refused, member.engine)

    def leave(self, pool: str, member_id: str, gave_up: bool = False) -> str | None:
        answer = self._done(scripts.LEAVE, pool, member_id, int(gave_up))
        return answer[0].decode() if answer and answer[0] else None

    def dismiss(self, lease: Lease, member_id: str, reason: OverflowReason, why: Explanation | None = None) -> None:
        try:
            (step,) = self._led(lease, scripts.DISMISS, member_id, reason, why.to_json() if why else "")
        except _Gone:
            raise MemberGone(member_id) from None
        self._saw(lease, step)

    # All at once

    def load(self, pool: str) -> PoolState:
        seen = self._numbers.copy()
        members, refused, offers, offered, agents, engines, numbers, known = self._done(scripts.LOAD, pool)
        engine_of = lines.texts(engines)
        return PoolState(
            members=tuple(
                lines.member(line, each, engine_of[name.decode()])
                for name, line, each in zip(members[::2], members[1::2], refused, strict=True)
            ),
            offers=tuple(lines.open_offer(each) for each in offers),
            offered=lines.texts(offered),
            agents=tuple(Agent.from_json(line) for line in agents),
            place=self._place(pool, numbers, seen),
            lines=lines.known_lines(known),
        )

    def counts(self, queue: str) -> QueueCounts:
        return QueueCounts(*self._done(scripts.COUNTS, queue))

    # What is told

    def wait_news(self, pool: str, after: Place, timeout_ms: int) -> News:
        seen, key = self._numbers.copy(), f"cw:acd:{self._generation}:"
        streams: dict[Any, Any] = {f"{key}changes": f"{after.agents}-0", f"{key}pool:{pool}": f"{after.members}-0"}
        # The numbers come before the wait: what they tell of must be in the answer, or it is missing.
        with self._asking() as asking:
            asking.hmget(f"{key}numbers", ["changes", f"pool:{pool}"])
            asking.xread(streams, count=_MOST_NEWS, block=timeout_ms or None)
            numbers, found, (seconds, micros) = self._told(asking)
        by_stream = _entries(found)
        agents = [lines.agent_news(*each) for each in by_stream.get(f"{key}changes", ())]
        members = [lines.member_news(*each) for each in by_stream.get(f"{key}pool:{pool}", ())]
        return News(
            agents=agents,
            members=members,
            last=self._place(pool, numbers, seen),
            at_ms=seconds * 1000 + micros // 1000,
            more=max(len(agents), len(members)) >= _MOST_NEWS,
        )

    def tell(
        self,
        lease: Lease,
        told: Iterable[tuple[str, Told]],
        figures: Iterable[QueueFigures] = (),
        known: Iterable[KnownLine] | None = None,
    ) -> None:
        messages = orjson.dumps([(engine, *to_lines(each)) for engine, each in told])
        by_queue = orjson.dumps({each.queue: each.to_json() for each in figures})
        learnt = b"" if known is None else orjson.dumps(list(known))
        (step,) = self._led(lease, scripts.TELL, messages, by_queue, learnt)
        self._saw(lease, step)

    def inbox(self, engine: str, after: str = "0", timeout_ms: int = 0) -> list[tuple[str, Told]]:
        key = f"cw:acd:{self._generation}:inbox:{engine}"
        with self._asking() as asking:
            asking.xtrim(key, minid=_behind(after), approximate=False)
            asking.xread({key: after}, count=_MOST_NEWS, block=timeout_ms or None)
            _, found, _ = self._told(asking)
        return [
            (place.decode(), from_lines(fields[b"k"].decode(), fields[b"v"]))
            for place, fields in _entries(found).get(key, ())
        ]

    def figures(self, queue: str) -> QueueFigures | None:
        (line,) = self._done(scripts.FIGURES, queue)
        return QueueFigures.from_json(line) if line else None

    def all_figures(self) -> list[QueueFigures]:
        (by_queue,) = self._done(scripts.ALL_FIGURES)
        return [QueueFigures.from_json(line) for line in by_queue]

    def why(self, member_id: str) -> list[Explanation]:
        try:
            there = cast("list[Any]", self._redis.xrange(f"cw:acd:why:{member_id}"))
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return [Explanation.from_json(fields[b"v"]) for _, fields in there]

    # The log

    def events(self, after: str = "0", most: int = 1000) -> list[tuple[str, AgentEvent]]:
        try:
            lines = cast("list[Any]", self._redis.xrange(_EVENTS, min=f"({after}", count=most))
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return [(place.decode(), AgentEvent.from_json(fields[b"e"])) for place, fields in lines]

    def forget_events(self, up_to: str) -> None:
        try:
            self._redis.xtrim(_EVENTS, minid=_behind(up_to), approximate=False)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    # Asking

    def _look(self, agent_id: str) -> tuple[Agent, int]:
        answer = self._done(scripts.LOOK, agent_id)
        if answer[2] is None:
            raise UnknownAgent(agent_id)
        return Agent.from_json(answer[2]), int(answer[0]) * 1000 + int(answer[1]) // 1000

    def _led(self, lease: Lease, script: str, *arguments: Any) -> list[Any]:
        """A step under a lease. Raises LeaseLost and what `_done` raises."""
        if lease.number not in self._seen:
            raise LeaseLost(lease.pool, lease.number)
        try:
            return self._done(script, lease.pool, lease.number, self._seen[lease.number], *arguments)
        except _Stale:
            raise LeaseLost(lease.pool, lease.number) from None

    def _saw(self, lease: Lease, step: Any) -> None:
        self._seen[lease.number] = max(self._seen.get(lease.number, 0), int(step))

    def _done(self, script: str, *arguments: Any) -> list[Any]:
        """What the script answers behind `ok`. Raises StateLost, Outdated, StoreUnavailable and the words below."""
        word, *rest = self._ask(script, self._generation, *arguments)
        if word == b"ok":
            return rest
        if word == b"lost":
            raise self._is_lost()
        if word == b"outdated":
            raise Outdated([Agent.from_json(line) for line in rest])
        raise _WORDS[word]

    def _ask(self, script: str, *arguments: Any) -> list[Any]:
        try:
            try:
                answer = self._redis.evalsha(scripts.SHA[script], 0, *arguments)
            except redis.exceptions.NoScriptError:
                answer = self._redis.eval(script, 0, *arguments)
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return cast("list[Any]", answer)

    def _asking(self) -> Pipeline:
        """Several questions in one turn."""
        return self._redis.pipeline(transaction=False)

    def _told(self, asking: Pipeline) -> list[Any]:
        """The answers, and the time after them. Raises StateLost where the state is another one by then."""
        asking.get("cw:acd:generation")
        asking.time()
        try:
            *answers, generation, time = asking.execute()
        except redis.RedisError as error:
            raise _unavailable(error) from error
        if generation is None or generation.decode() != self._generation:
            raise self._is_lost()
        return [*answers, time]

    def _place(self, pool: str, numbers: list[bytes | None], seen: Mapping[str, int]) -> Place:
        """Raises StateLost where there are fewer than had been `seen`: redis fell back to what it knew before."""
        place = Place(*(int(each or 0) for each in numbers))
        if place.agents < seen.get("changes", 0) or place.members < seen.get(pool, 0):
            raise self._is_lost()
        for stream, number in (("changes", place.agents), (pool, place.members)):
            self._numbers[stream] = max(number, self._numbers.get(stream, 0))
        return place

    def _is_lost(self) -> StateLost:
        self._lost = self._generation
        return StateLost("redis does not have the queues' state that this engine knew: attach, and put it in again")

    def _sweep(self, generation: str) -> None:
        """What is left of a generation that nobody uses any more."""
        try:
            for keys in _batches(self._redis.scan_iter(f"cw:acd:{generation}:*", count=_SWEEP)):
                self._redis.unlink(*keys)
        except redis.RedisError as error:
            log.warning("queues: keys of generation %s are left in redis: %s", generation, error)


class _Word(Exception):
    """An answer that only the caller can put into words."""


class _Stale(_Word): ...


class _Gone(_Word): ...


class _Over(_Word): ...


_WORDS: Mapping[bytes, type[_Word]] = {b"stale": _Stale, b"gone": _Gone, b"over": _Over}


def _unavailable(error: redis.RedisError) -> StoreUnavailable:
    return StoreUnavailable(f"redis: {error}")


def _behind(place: str) -> str:
    """The next possible place in a stream."""
    milliseconds, _, number = place.partition("-")
    return f"{milliseconds}-{int(number or 0) + 1}"


def _entries(found: Any) -> dict[str, list[Any]]:
    """An answer of XREAD: entries by stream."""
    pairs = found.items() if isinstance(found, dict) else found or ()
    return {name.decode(): entries for name, entries in pairs}


def _batches(keys: Iterable[bytes]) -> Iterable[list[bytes]]:
    keys = iter(keys)
    while batch := list(itertools.islice(keys, _SWEEP)):
        yield batch
