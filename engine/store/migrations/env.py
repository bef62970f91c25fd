"""Called by Alembic: runs the migrations on the connection that `engine.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from engine.store.models import Base


def run() -> None:
    """All migrations in the caller's transaction."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata)
    # No begin_transaction(): the caller's transaction holds the lock and commits or rolls back everything at once.
    context.run_migrations()


run()
