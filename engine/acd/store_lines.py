"""How agents, members, offers and news stand in Redis: what the scripts are given, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from pydantic import TypeAdapter

from engine.acd.agent import Agent
from engine.acd.lines import KnownLine
from engine.acd.news import Became, MemberNews
from engine.acd.states import Change
from engine.acd.store import KEEP_EVENTS, OpenOffer
from engine.domain.acd import Member, Offer

_MEMBER: TypeAdapter[Member] = TypeAdapter(Member)
_OFFER: TypeAdapter[Offer] = TypeAdapter(Offer)
_KNOWN: TypeAdapter[tuple[KnownLine, ...]] = TypeAdapter(tuple[KnownLine, ...])
_REFUSED: TypeAdapter[list[str] | dict[str, str]] = TypeAdapter(list[str] | dict[str, str])


def changes(made: Iterable[tuple[Agent | None, Change]]) -> bytes:
    """For the scripts: each agent as he was believed to be (None: not there), and as he is to be."""
    return orjson.dumps(
        [
            {
                "id": change.agent.id,
                "was": _stamp(before) if before else "",
                "stamp": _stamp(change.agent),
                "json": change.agent.to_json(),
                "from": list(before.tiers) if before else [],
                "to": list(change.agent.tiers),
                "ready": str(change.agent.ready_since_ms) if change.agent.available else "",
                "event": change.event.to_json() if change.event else "",
                "keep": str(KEEP_EVENTS),
            }
            for before, change in made
        ]
    )


def _stamp(agent: Agent) -> str:
    return f"{agent.version} {agent.state}"


def member(line: bytes, refused: list[bytes], engine: str) -> Member:
    by = {agent: int(until_ms) for agent, until_ms in texts(refused).items()}
    return replace(_MEMBER.validate_json(line), refused_by=by, engine=engine)


def known_lines(line: bytes | None) -> tuple[KnownLine, ...]:
    return _KNOWN.validate_json(line) if line else ()


def texts(pairs: list[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def open_offer(line: list[Any]) -> OpenOffer:
    """As LOAD gives it."""
    number, offer, taken, asked, engine = line
    return OpenOffer(
        number.decode(),
        _OFFER.validate_json(offer),
        frozenset(each.decode() for each in asked),
        taken.decode(),
        engine.decode(),
    )


def agent_news(place: bytes, fields: Mapping[bytes, bytes]) -> tuple[int, Agent]:
    """An entry of the agents' stream."""
    return _number(place), Agent.from_json(fields[b"a"])


def member_news(place: bytes, fields: Mapping[bytes, bytes]) -> MemberNews:
    """An entry of a pool's stream."""
    engine = fields.get(b"e", b"").decode()
    return MemberNews(
        number=_number(place),
        became=Became(fields[b"k"].decode()),
        id=fields[b"m"].decode(),
        member=member(fields[b"v"], [], engine) if b"v" in fields else None,
        offer=fields.get(b"n", b"").decode(),
        engine=engine,
        refused_by=_refused(fields[b"r"]) if b"r" in fields else None,
        gave_up=fields.get(b"g") == b"1",
    )


def _refused(line: bytes) -> dict[str, int]:
    # Lua writes an empty list as an empty object.
    flat = list(_REFUSED.validate_json(line))
    return {agent: int(until_ms) for agent, until_ms in zip(flat[::2], flat[1::2], strict=True)}


def _number(place: bytes) -> int:
    return int(place.partition(b"-")[0])
