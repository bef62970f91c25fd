"""Queues, and agents' skills, queues and mobiles."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OF_AGENTS: tuple[tuple[str, Any, str], ...] = (
    ("skills", postgresql.JSONB(), "'{}'"),
    ("may_choose_queues", sa.Boolean(), "true"),
    ("mobile", sa.Text(), "''"),
    ("mobile_in", postgresql.JSONB(), "'[]'"),
)
"""Name, type, and what the agents get who are there already."""


def upgrade() -> None:
    for name, kind, present in _OF_AGENTS:
        op.add_column("agents", sa.Column(name, kind, nullable=False, server_default=sa.text(present)))
        op.alter_column("agents", name, server_default=None)
    _queues()
    op.create_table(
        "agent_queues",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("agent_id", "queue_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("level", "position")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_queues_agent_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], name="fk_agent_queues_queue_id"),
        sa.PrimaryKeyConstraint("agent_id", "queue_id", name="pk_agent_queues"),
    )
    op.create_index("ix_agent_queues_queue_id", "agent_queues", ["queue_id"])


def _queues() -> None:
    counts = ("priority", "tier_wait_s", "ring_s", "wrap_up_s", "sticky_wait_s", "service_level_s")
    op.create_table(
        "queues",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "name", "strategy", "accept")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("whisper", "music")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("wait_flow_id", "calendar_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("max_waiting", "max_wait_s")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("weight", "ageing_per_min")),
        *(sa.Column(name, postgresql.JSONB(), nullable=False) for name in ("overflow", "announcements")),
        sa.ForeignKeyConstraint(["wait_flow_id"], ["flows.id"], name="fk_queues_wait_flow_id"),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name="fk_queues_calendar_id"),
        sa.PrimaryKeyConstraint("id", name="pk_queues"),
    )


def downgrade() -> None:
    op.drop_table("agent_queues")
    op.drop_table("queues")
    for name, *_ in _OF_AGENTS:
        op.drop_column("agents", name)
