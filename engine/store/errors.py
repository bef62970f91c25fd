"""What can go wrong with the store, by what is to be done about it.

    StoreError
    ├── StoreUnavailable      not now: wait and try again; nothing was written
    │   └── SchemaOutdated    the database is there, its migrations are not
    ├── BadData               never: this data can't be stored as it is
    └── NoSuchRow             the row that was asked for does not exist

Only the data's own fault is `BadData`. Everything else (a failing disk, missing rights, a standby that became the
target of the address) may be put right by somebody while the spool keeps what waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc


class StoreError(Exception):
    """Base of all that the store raises."""


class StoreUnavailable(StoreError):
    """The store can't be used now. Nothing was written, the same call may be made again."""


class SchemaOutdated(StoreUnavailable):
    """A table or a column is missing: migrations have yet to run."""


class BadData(StoreError):
    """The data is at fault: making the same call again would fail again."""


class NoSuchRow(StoreError):
    """The row does not exist."""


# https://www.postgresql.org/docs/current/errcodes-appendix.html: cardinality, data, integrity, limits of one value
_DATA_FAULTS = ("21", "22", "23", "54")
_NO_SCHEMA = {"42P01", "42703", "42883", "3F000"}


def _sqlstate(error: exc.DBAPIError) -> str:
    return getattr(error.orig, "pgcode", None) or ""


def translate(error: Exception) -> StoreError:
    """The store's error for what SQLAlchemy, psycopg2 or Python's own conversion raised."""
    # The statement's parameters hold callers' numbers and passwords: never in the message (R123).
    if isinstance(error, exc.DBAPIError):
        state = _sqlstate(error)
        text = f"{state or type(error.orig).__name__}: {_first_line(error.orig)}"
        if state[:2] in _DATA_FAULTS:
            return BadData(text)
        if state in _NO_SCHEMA:
            return SchemaOutdated(text)
        return StoreUnavailable(text)
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailable("no free connection in the pool")
    if isinstance(error, exc.StatementError) and isinstance(error.orig, ValueError | TypeError | OverflowError):
        return BadData(f"{type(error.orig).__name__}: {error.orig}")
    return StoreUnavailable(f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException | None) -> str:
    return str(error).partition("\n")[0]


@contextmanager
def translated() -> Iterator[None]:
    """Turns errors of the database libraries into the store's."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise translate(error) from error
