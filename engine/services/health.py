"""Whether the process can do its work: each thing that it depends on, asked by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.store import migrate
from engine.store.database import Database
from engine.store.errors import StoreError, StoreUnavailable, translated

Check = Callable[[], None]
"""Returns when all is well, raises when it is not."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """How a dependency fares. `detail` says what is wrong, "" when nothing is."""

    name: str
    ok: bool
    took_ms: int
    detail: str = ""


class Health:
    """Asks the dependencies one after the other."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def check(self) -> tuple[Dependency, ...]:
        """The state of all dependencies, in the order in which they were given. Never raises."""
        return tuple(self._ask(name, check) for name, check in self._checks.items())

    def _ask(self, name: str, check: Check) -> Dependency:
        started = time.monotonic()
        detail = ""
        try:
            check()
        except Exception as error:  # noqa: BLE001 (whatever a client library raises means that it does not work)
            # Only the kind of error: messages of client libraries hold addresses, and this page needs no key.
            detail = str(error) if isinstance(error, StoreError | MigrationsMissing) else type(error).__name__
        return Dependency(name, not detail, round((time.monotonic() - started) * 1000), detail)


class MigrationsMissing(Exception):
    """The database stands at another migration than this program knows as the newest."""


def database_checks(database: Database) -> dict[str, Check]:
    """Checks of the database and of its migrations."""

    def reachable() -> None:
        try:
            database.ping()
        except StoreError as error:
            raise StoreUnavailable("it does not answer") from error

    def migrated() -> None:
        try:
            with translated(), database.engine.connect() as connection:
                found = migrate.current(connection)
        except StoreError as error:
            raise StoreUnavailable("not known while the database is away") from error
        if found != migrate.head():
            raise MigrationsMissing(f"the database is at {found or 'nothing'}, this program at {migrate.head()}")

    return {"database": reachable, "migrations": migrated}
