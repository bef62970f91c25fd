"""The routing data as a whole: its version, a snapshot of it, and the secrets that no snapshot holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.domain.routing import RoutingSnapshot
from engine.store.catalogue import AGENTS, CALENDARS, NOTICES, NUMBERS, QUEUES, TRUNKS
from engine.store.database import Database
from engine.store.flows import active
from engine.store.models import RoutingVersion


@dataclass(frozen=True, slots=True)
class Credentials:
    """SIP passwords by the id of agent and trunk, for the switch's configuration. Never in `repr`."""

    agents: dict[str, str] = field(repr=False)
    trunks: dict[str, str] = field(repr=False)


class RoutingStore:
    """Reads the routing data. All methods raise `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        """The number of the newest change."""
        with self._database.transaction() as session:
            return _version(session)

    def snapshot(self) -> RoutingSnapshot:
        """All routing data as it stands after one and the same change."""
        with self._database.snapshot() as session:
            newest = active()
            return RoutingSnapshot(
                version=_version(session),
                numbers=tuple(NUMBERS.list(session)),
                agents=tuple(AGENTS.list(session)),
                trunks=tuple(TRUNKS.list(session)),
                calendars={entry.id: entry.definition for entry in CALENDARS.list(session)},
                active_flows=dict(session.execute(select(newest.c.flow_id, newest.c.version)).all()),
                queues=tuple(QUEUES.list(session)),
                notices=tuple(NOTICES.list(session)),
            )

    def credentials(self) -> Credentials:
        """What agents and trunks sign in with."""
        with self._database.snapshot() as session:
            return Credentials(AGENTS.secrets(session), TRUNKS.secrets(session))


def bump(session: Session, now_ms: int) -> int:
    """Counts a change of routing data and returns its number.

    To be called first in the transaction: the row's lock makes changes wait for each other, so that each is checked
    against what the one before it left.
    """
    change = update(RoutingVersion).values(version=RoutingVersion.version + 1, changed_at=now_ms)
    return session.execute(change.returning(RoutingVersion.version)).scalar_one()


def _version(session: Session) -> int:
    return session.execute(select(RoutingVersion.version)).scalar_one()
