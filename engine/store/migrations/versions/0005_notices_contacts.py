"""Notices and contacts: what flows look up while a call goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "name", "changed_by")),
        sa.Column("sounds", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_table(
        "contacts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "name", "status")),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_contacts"),
    )
    op.create_table(
        "contact_numbers",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("number", "contact_key")),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_key"], ["contacts.key"], name="fk_contact_numbers_contact_key", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", "contact_key", name="pk_contact_numbers"),
    )
    op.create_index("ix_contact_numbers_contact_key", "contact_numbers", ["contact_key"])


def downgrade() -> None:
    for table in ("contact_numbers", "contacts", "notices"):
        op.drop_table(table)
