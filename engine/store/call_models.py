"""The tables of calls and their recordings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base
from engine.store.columns import EpochMs


class Call(Base):
    """The one record of a call (R90). `digest` tells whether a second writing says the same."""

    __tablename__ = "call_records"
    __table_args__ = (
        Index(None, "started_at", "call_id"),
        Index(None, "did", "started_at"),
        Index(None, "caller", "started_at"),
        Index(None, "flow", "started_at"),
        Index(None, "result", "started_at"),
        Index("ix_call_records_talked", "caller", "ended_at", postgresql_where=text("talk_ms > 0")),
        Index(None, "recordings", postgresql_using="gin"),
    )

    call_id: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str]
    did: Mapped[str]
    caller: Mapped[str]
    caller_name: Mapped[str]
    anonymous: Mapped[bool]
    route: Mapped[str]
    flow: Mapped[str]
    flow_version: Mapped[str]
    switch: Mapped[str]
    sip_call_id: Mapped[str]
    started_at: Mapped[int] = mapped_column(EpochMs)
    answered_at: Mapped[int | None] = mapped_column(EpochMs)
    ended_at: Mapped[int] = mapped_column(EpochMs)
    result: Mapped[str]
    hung_up_by: Mapped[str]
    hangup_cause: Mapped[str]
    reason: Mapped[str]
    wait_ms: Mapped[int]
    talk_ms: Mapped[int]
    resumed: Mapped[int]
    recordings: Mapped[list[Any]]
    attributes: Mapped[dict[str, Any]]
    digest: Mapped[str]
    written_at: Mapped[int] = mapped_column(EpochMs, server_default=text("now()"))


class CallVisit(Base):
    """One node of a call's path."""

    __tablename__ = "call_visits"
    __table_args__ = (Index(None, "flow", "node", "entered_at"),)

    call_id: Mapped[str] = mapped_column(ForeignKey("call_records.call_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    flow: Mapped[str]
    version: Mapped[str]
    node: Mapped[str]
    entered_at: Mapped[int] = mapped_column(EpochMs)
    left_at: Mapped[int] = mapped_column(EpochMs)
    exit: Mapped[str | None]


class CallLeg(Base):
    """One leg of a call."""

    __tablename__ = "call_legs"
    __table_args__ = (Index(None, "party", "started_at"),)

    call_id: Mapped[str] = mapped_column(ForeignKey("call_records.call_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    leg_id: Mapped[str]
    kind: Mapped[str]
    party: Mapped[str]
    started_at: Mapped[int] = mapped_column(EpochMs)
    answered_at: Mapped[int | None] = mapped_column(EpochMs)
    ended_at: Mapped[int] = mapped_column(EpochMs)
    talk_ms: Mapped[int]
    hangup_cause: Mapped[str]
    result: Mapped[str]


class CallQueueVisit(Base):
    """One visit of a queue by a call."""

    __tablename__ = "queue_visits"
    __table_args__ = (Index(None, "queue", "joined_at"), Index(None, "agent", "joined_at"))

    call_id: Mapped[str] = mapped_column(ForeignKey("call_records.call_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queue: Mapped[str]
    joined_at: Mapped[int] = mapped_column(EpochMs)
    left_at: Mapped[int] = mapped_column(EpochMs)
    outcome: Mapped[str]
    key: Mapped[str | None]
    agent: Mapped[str | None]
    wait_ms: Mapped[int]
    ring_ms: Mapped[int]
    offers: Mapped[int]
    talk_ms: Mapped[int]


class CallJournal(Base):
    """The journal of a call as call detail: an array of its entries. Kept for less long than the record (R96)."""

    __tablename__ = "call_journals"

    call_id: Mapped[str] = mapped_column(ForeignKey("call_records.call_id", ondelete="CASCADE"), primary_key=True)
    entries: Mapped[list[Any]]


class Recording(Base):
    """A recording. No foreign key to the call: the row is written first, the record when the call is over."""

    __tablename__ = "recordings"
    __table_args__ = (
        Index(None, "call_id"),
        Index(None, "started_at"),
        Index("ix_recordings_due", "changed_at", postgresql_where=text("state IN ('expected', 'recording', 'ended')")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    call_id: Mapped[str]
    path: Mapped[str]
    state: Mapped[str]
    switch: Mapped[str]
    kind: Mapped[str]
    started_at: Mapped[int | None] = mapped_column(EpochMs)
    ended_at: Mapped[int | None] = mapped_column(EpochMs)
    expected_ms: Mapped[int | None]
    channels: Mapped[int | None]
    sample_rate: Mapped[int | None]
    duration_ms: Mapped[int | None]
    bytes: Mapped[int | None]
    sha256: Mapped[str]
    bucket: Mapped[str]
    key: Mapped[str]
    reason: Mapped[str]
    agent: Mapped[str]
    agent_name: Mapped[str]
    agent_number: Mapped[str]
    caller: Mapped[str]
    did: Mapped[str]
    queue: Mapped[str]
    queue_name: Mapped[str]
    queue_ms: Mapped[int | None]
    category: Mapped[str]
    details: Mapped[dict[str, Any]]
    changed_at: Mapped[int] = mapped_column(EpochMs, server_default=text("now()"))
