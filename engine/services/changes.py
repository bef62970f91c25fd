"""Changes: each one transaction with its row in the audit trail (R122), announced once it is committed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from engine.domain.call import JsonObject
from engine.domain.ports import Clock
from engine.services.announce import Announcer
from engine.services.errors import ServiceError
from engine.store.audit import AuditRow, add_audit
from engine.store.database import Database
from engine.store.errors import BadData, StoreError
from engine.store.routing import bump

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for something: a name, where from (an address, or a command), in which request."""

    name: str
    source: str = ""
    request_id: str = ""


@dataclass(slots=True)
class Change:
    """A change under way. `subject` and `detail` go into the audit trail: no secrets, no contents."""

    session: Session
    now_ms: int
    subject: str
    detail: JsonObject = field(default_factory=dict)


class Changes:
    """Opens changes. What fails leaves a row in the trail as well, with the error's id as its outcome."""

    def __init__(self, database: Database, clock: Clock, announcer: Announcer) -> None:
        self._database = database
        self._clock = clock
        self._announcer = announcer

    @contextmanager
    def of_routing(self, actor: Actor, action: str, subject: str) -> Iterator[Change]:
        """A change of routing data: counts up the routing version in the same transaction and announces it."""
        with self._recorded(actor, action, subject) as change:
            version = bump(change.session, change.now_ms)
            change.detail["routing_version"] = version
            yield change
        self._announcer.announce(version)

    @contextmanager
    def of_other(self, actor: Actor, action: str, subject: str) -> Iterator[Change]:
        """A change, or an access, that leaves the routing data alone."""
        with self._recorded(actor, action, subject) as change:
            yield change

    @contextmanager
    def _recorded(self, actor: Actor, action: str, subject: str) -> Iterator[Change]:
        now_ms = self._clock.now_ms()

        def row(subject: str, outcome: str, detail: JsonObject) -> AuditRow:
            return AuditRow(
                now_ms, actor.name, actor.source, action, subject, outcome, detail, request_id=actor.request_id
            )

        try:
            with self._database.transaction() as session:
                change = Change(session, now_ms, subject)
                yield change
                add_audit(session, row(change.subject, "ok", change.detail))
        except ServiceError as error:
            self._record_failure(row(subject, error.id, {"detail": error.detail}))
            raise
        except BadData:
            self._record_failure(row(subject, "bad_data", {}))
            raise

    def _record_failure(self, row: AuditRow) -> None:
        try:
            with self._database.transaction() as session:
                add_audit(session, row)
        except StoreError as error:
            # the refusal itself must still reach whoever asked
            log.error("audit: %s of %s by %s not recorded: %s", row.action, row.subject, row.actor, error)
