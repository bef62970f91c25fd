"""Visits of queues, and an index for the agent who talked with a caller last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "queue_visits",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("call_id", "queue", "outcome")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("key", "agent")),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("joined_at", "left_at")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("position", "wait_ms", "ring_ms")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("offers", "talk_ms")),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call_records.call_id"], name="fk_queue_visits_call_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "position", name="pk_queue_visits"),
    )
    for column in ("queue", "agent"):
        op.create_index(f"ix_queue_visits_{column}_joined_at", "queue_visits", [column, "joined_at"])
    op.create_index(
        "ix_call_records_talked", "call_records", ["caller", "ended_at"], postgresql_where=sa.text("talk_ms > 0")
    )


def downgrade() -> None:
    op.drop_index("ix_call_records_talked", "call_records")
    op.drop_table("queue_visits")
