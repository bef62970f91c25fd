"""What happened to agents, and their states."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_events",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("what", "from_state", "to_state")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "kind", "call", "queue")),
        sa.PrimaryKeyConstraint("agent", "at", "version", name="pk_agent_events"),
    )
    op.create_table(
        "agent_states",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("record", postgresql.JSONB(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("agent", name="pk_agent_states"),
    )


def downgrade() -> None:
    op.drop_table("agent_states")
    op.drop_table("agent_events")
