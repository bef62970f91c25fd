"""The audit trail and the keys of the API (R121, R122)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.domain.call import JsonObject
from engine.store.database import Database
from engine.store.models import ApiKey, Audit


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what to what, when, from where, with what outcome ("ok", or the id of the error)."""

    at_ms: int
    actor: str
    source: str
    action: str
    subject: str
    outcome: str
    detail: JsonObject = field(default_factory=dict)
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of the API, as far as it is kept."""

    id: str
    name: str
    hash: str = field(repr=False)
    created_ms: int
    created_by: str
    revoked_ms: int | None = None


def add_audit(session: Session, row: AuditRow) -> None:
    """Adds a row to the trail, in the caller's transaction."""
    session.add(
        Audit(
            at=row.at_ms,
            actor=row.actor,
            source=row.source,
            action=row.action,
            subject=row.subject,
            outcome=row.outcome,
            detail=row.detail,
            request_id=row.request_id,
        )
    )
    session.flush()


def read_audit(session: Session, subject: str | None = None, limit: int = 100) -> list[AuditRow]:
    """The newest rows of the trail, newest first."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(Audit.subject == subject)
    return [
        AuditRow(row.at, row.actor, row.source, row.action, row.subject, row.outcome, row.detail, row.request_id)
        for row in session.scalars(query)
    ]


class KeyStore:
    """Keys of the API. All methods raise `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key_id: str) -> KeyRow | None:
        """The key, revoked or not, or None."""
        with self._database.transaction() as session:
            found = session.get(ApiKey, key_id)
            return _key(found) if found else None

    def list(self) -> Sequence[KeyRow]:
        """All keys, newest first."""
        with self._database.transaction() as session:
            return [_key(row) for row in session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc()))]

    def add(self, session: Session, row: KeyRow) -> None:
        """Keeps a new key, in the caller's transaction."""
        session.add(
            ApiKey(id=row.id, name=row.name, hash=row.hash, created_at=row.created_ms, created_by=row.created_by)
        )
        session.flush()

    def revoke(self, session: Session, key_id: str, now_ms: int) -> bool:
        """Ends a key, in the caller's transaction. False when there is no such key in force."""
        live = (ApiKey.id == key_id) & ApiKey.revoked_at.is_(None)
        change = update(ApiKey).where(live).values(revoked_at=now_ms).returning(ApiKey.id)
        return session.execute(change).first() is not None


def _key(row: ApiKey) -> KeyRow:
    return KeyRow(row.id, row.name, row.hash, row.created_at, row.created_by, row.revoked_at)
