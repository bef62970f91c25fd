"""The tables, all of which this module knows. `Base.metadata` taken from here is complete.

Migrations are written by hand to match; `tests/integration/store/test_migrations.py` finds any drift.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.store.base import Base as Base
from engine.store.call_models import Call as Call
from engine.store.call_models import CallJournal as CallJournal
from engine.store.call_models import CallLeg as CallLeg
from engine.store.call_models import CallQueueVisit as CallQueueVisit
from engine.store.call_models import CallVisit as CallVisit
from engine.store.call_models import Recording as Recording
from engine.store.columns import EpochMs
from engine.store.facts import Contact as Contact
from engine.store.facts import ContactNumber as ContactNumber
from engine.store.facts import Notice as Notice


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


class AgentLog(Base):
    """What happened to agents (R50), for good: also of those who are in the routing data no more."""

    __tablename__ = "agent_events"

    agent: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(EpochMs, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    what: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    reason: Mapped[str]
    kind: Mapped[str]
    call: Mapped[str]
    queue: Mapped[str]


class AgentStateRow(Base):
    """An agent's record as it was last, for the day on which Redis comes back empty."""

    __tablename__ = "agent_states"

    agent: Mapped[str] = mapped_column(primary_key=True)
    record: Mapped[dict[str, Any]]
    written_at: Mapped[int] = mapped_column(EpochMs, server_default=text("now()"))


class RoutingVersion(Base):
    """The one row that counts changes of routing data. Its lock also puts those changes in one order."""

    __tablename__ = "routing_version"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int]
    changed_at: Mapped[int] = mapped_column(EpochMs)


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
