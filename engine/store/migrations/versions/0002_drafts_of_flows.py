"""Drafts of flows: versions that have not yet passed the checks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flow_versions", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("flow_versions", sa.Column("checked_by", sa.Text(), nullable=True))
    # until now nothing was kept that had not passed
    op.execute("UPDATE flow_versions SET checked_at = uploaded_at, checked_by = uploaded_by")


def downgrade() -> None:
    # a release that doesn't know drafts takes every version for checked
    op.execute(
        "DELETE FROM flow_versions WHERE checked_at IS NULL "
        "AND NOT EXISTS (SELECT FROM flow_activations a WHERE a.flow_id = flow_versions.flow_id "
        "AND a.version = flow_versions.version)"
    )
    op.drop_column("flow_versions", "checked_by")
    op.drop_column("flow_versions", "checked_at")
