"""Agents in PostgreSQL: what happened to them (R50), and how each one was last."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from engine.acd.agent import Agent, AgentEvent, BreakKind
from engine.domain.acd import AgentState
from engine.store.database import Database
from engine.store.models import AgentLog, AgentStateRow


@dataclass(frozen=True, slots=True)
class EventPosition:
    """The place of an event in the list of an agent's events, which runs from the newest to the oldest."""

    at_ms: int
    version: int


class AgentArchive:
    """All methods raise `StoreUnavailable`, those that write `BadData`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write_events(self, events: Sequence[AgentEvent]) -> None:
        """Writes events; those that are there already stay as they are."""
        rows = [_row(event) for event in events]
        with self._database.transaction() as session:
            session.execute(insert(AgentLog).on_conflict_do_nothing(), rows)

    def write_agents(self, agents: Collection[Agent]) -> None:
        """Writes how these agents are now."""
        rows = [{"agent": agent.id, "record": json.loads(agent.to_json())} for agent in agents]
        add = insert(AgentStateRow)
        put = add.on_conflict_do_update(
            index_elements=[AgentStateRow.agent], set_={"record": add.excluded.record, "written_at": func.now()}
        )
        with self._database.transaction() as session:
            session.execute(put, rows)

    def agents(self, ids: Collection[str]) -> Mapping[str, Agent]:
        """How those of these agents were last of whom it is known."""
        query = select(AgentStateRow.agent, AgentStateRow.record).where(AgentStateRow.agent.in_(ids))
        with self._database.transaction() as session:
            found = session.execute(query).all()
        return {agent: Agent.from_json(json.dumps(record)) for agent, record in found}

    def events(self, agent: str, limit: int, after: EventPosition | None = None) -> Sequence[AgentEvent]:
        """At most `limit` events of an agent, newest first, that come after `after` in the list."""
        query = select(AgentLog).where(AgentLog.agent == agent)
        if after is not None:
            query = query.where(tuple_(AgentLog.at, AgentLog.version) < _as_tuple(after))
        query = query.order_by(AgentLog.at.desc(), AgentLog.version.desc()).limit(limit)
        with self._database.transaction() as session:
            return [_event(row) for row in session.scalars(query)]


def _as_tuple(position: EventPosition) -> Any:
    # tuple_ takes the columns' types from here, so that milliseconds become a timestamp
    return tuple_(position.at_ms, position.version, types=[AgentLog.at.type, AgentLog.version.type])


def _row(event: AgentEvent) -> dict[str, Any]:
    return {
        "agent": event.agent,
        "at": event.at_ms,
        "version": event.version,
        "what": event.what,
        "from_state": event.from_state.value,
        "to_state": event.to_state.value,
        "reason": event.reason,
        "kind": event.kind.value if event.kind else "",
        "call": event.call,
        "queue": event.queue,
    }


def _event(row: AgentLog) -> AgentEvent:
    return AgentEvent(
        agent=row.agent,
        version=row.version,
        at_ms=row.at,
        what=row.what,
        from_state=AgentState(row.from_state),
        to_state=AgentState(row.to_state),
        reason=row.reason,
        kind=BreakKind(row.kind) if row.kind else None,
        call=row.call,
        queue=row.queue,
    )
