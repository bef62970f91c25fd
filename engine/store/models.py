"""The tables. Migrations are written by hand to match; `tests/integration/store/test_migrations.py` finds any drift."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from engine.store.columns import CleanText, EpochMs


class Base(DeclarativeBase):
    """All tables. Times are named `_at`; in Python they are UTC epoch milliseconds."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: CleanText,
        int: BigInteger,
        float: Double,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Flow(Base):
    """A flow by its id, whatever its versions."""

    __tablename__ = "flows"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    created_at: Mapped[int] = mapped_column(EpochMs)


class FlowVersion(Base):
    """One uploaded version, named by the hash of its content. The content never changes (a trigger sees to it, R21).

    `definition` is json and not jsonb: its text is kept, so that the hash can be taken again and the order that the
    editor gave stays. `layout` is where the editor drew the nodes: not part of the hash, kept apart and replaceable.
    `checked_at` and `checked_by` are null for a draft, which has not yet passed the checks.
    """

    __tablename__ = "flow_versions"

    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    layout: Mapped[dict[str, Any]] = mapped_column(JSON)
    findings: Mapped[list[Any]]
    uploaded_at: Mapped[int] = mapped_column(EpochMs)
    uploaded_by: Mapped[str]
    checked_at: Mapped[int | None] = mapped_column(EpochMs)
    checked_by: Mapped[str | None]


class FlowActivation(Base):
    """A version became the active one. The newest row of a flow counts; an older version again is a roll-back."""

    __tablename__ = "flow_activations"
    __table_args__ = (
        ForeignKeyConstraint(["flow_id", "version"], ["flow_versions.flow_id", "flow_versions.version"]),
        Index(None, "flow_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    flow_id: Mapped[str]
    version: Mapped[str]
    activated_at: Mapped[int] = mapped_column(EpochMs)
    activated_by: Mapped[str]


class Trunk(Base):
    """A line to an operator. The password is kept readable: the switch needs it to register."""

    __tablename__ = "trunks"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    proxy: Mapped[str]
    username: Mapped[str]
    password: Mapped[str]
    register: Mapped[bool]
    prefix: Mapped[str]
    networks: Mapped[list[Any]]
    ping_s: Mapped[int | None]
    caller_id: Mapped[str]
    max_channels: Mapped[int | None]


class Number(Base):
    """A number or prefix and the flow that its calls go to."""

    __tablename__ = "numbers"

    pattern: Mapped[str] = mapped_column(primary_key=True)
    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"))
    language: Mapped[str]
    country: Mapped[str]
    record: Mapped[bool]
    trunk_id: Mapped[str | None] = mapped_column(ForeignKey("trunks.id"))
    max_channels: Mapped[int | None]
    fallback: Mapped[str]


class Agent(Base):
    """An agent and its SIP account. The password is kept readable: the switch needs it for SIP digests."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[str]
    sip_password: Mapped[str]
    skills: Mapped[dict[str, Any]]
    may_choose_queues: Mapped[bool]
    mobile: Mapped[str]
    mobile_in: Mapped[list[Any]]
    queues: Mapped[list[AgentQueue]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, lazy="selectin", order_by="AgentQueue.queue_id"
    )


class AgentQueue(Base):
    """An agent works in a queue: his tier there."""

    __tablename__ = "agent_queues"
    __table_args__ = (Index(None, "queue_id"),)

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    queue_id: Mapped[str] = mapped_column(ForeignKey("queues.id"), primary_key=True)
    level: Mapped[int]
    position: Mapped[int]


class Calendar(Base):
    """Opening hours, in the form of `dialplan.hours`."""

    __tablename__ = "calendars"

    id: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]


class Queue(Base):
    """A queue's settings. `overflow` and `announcements` hold the fields of `engine.domain.routing` by name."""

    __tablename__ = "queues"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    strategy: Mapped[str]
    priority: Mapped[int]
    weight: Mapped[float]
    ageing_per_min: Mapped[float]
    tier_wait_s: Mapped[int]
    ring_s: Mapped[int]
    wrap_up_s: Mapped[int]
    sticky_wait_s: Mapped[int]
    accept: Mapped[str]
    whisper: Mapped[str]
    wait_flow_id: Mapped[str | None] = mapped_column(ForeignKey("flows.id"))
    music: Mapped[str]
    calendar_id: Mapped[str | None] = mapped_column(ForeignKey("calendars.id"))
    overflow: Mapped[dict[str, Any]]
    max_waiting: Mapped[int | None]
    max_wait_s: Mapped[int | None]
    service_level_s: Mapped[int]
    announcements: Mapped[dict[str, Any]]


class RoutingVersion(Base):
    """The one row that counts changes of routing data. Its lock also puts those changes in one order."""

    __tablename__ = "routing_version"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int]
    changed_at: Mapped[int] = mapped_column(EpochMs)


class Call(Base):
    """The one record of a call (R90). `digest` tells whether a second writing says the same."""

    __tablename__ = "call_records"
    __table_args__ = (
        Index(None, "started_at", "call_id"),
        Index(None, "did", "started_at"),
        Index(None, "caller", "started_at"),
        Index(None, "flow", "started_at"),
        Index(None, "result", "started_at"),
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


class ApiKey(Base):
    """A key of the API. Only its hash is kept; `id` is the part of the key that may be shown."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str]
    created_at: Mapped[int] = mapped_column(EpochMs)
    created_by: Mapped[str]
    revoked_at: Mapped[int | None] = mapped_column(EpochMs)


class Audit(Base):
    """Who did what, when, from where, with what outcome (R122)."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at"), Index(None, "subject", "at"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[int] = mapped_column(EpochMs)
    actor: Mapped[str]
    source: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    outcome: Mapped[str]
    detail: Mapped[dict[str, Any]]
    request_id: Mapped[str]
