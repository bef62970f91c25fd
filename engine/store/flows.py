"""Flows in PostgreSQL: versions that never change, and the history of which one was active (R21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from engine.domain.call import JsonObject
from engine.store.database import Database
from engine.store.errors import NoSuchRow
from engine.store.models import Flow, FlowActivation, FlowVersion


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """A flow with its active version (None: none yet). Times are UTC epoch milliseconds."""

    id: str
    name: str
    kind: str
    active_version: str | None
    activated_ms: int | None


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """An uploaded version without its definition. `findings` are those of its last check.

    `checked_ms` None: a draft, which has not yet passed the checks.
    """

    flow: str
    version: str
    name: str
    kind: str
    findings: tuple[JsonObject, ...]
    uploaded_ms: int
    uploaded_by: str
    checked_ms: int | None
    checked_by: str | None


@dataclass(frozen=True, slots=True)
class Activation:
    """A version became the active one."""

    version: str
    activated_ms: int
    activated_by: str


class FlowStore:
    """Flows and their versions. All methods raise `StoreUnavailable`.

    Those that change something take the caller's session, so that the change, its audit row and the routing version
    are one transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def definition(self, flow: str, version: str) -> JsonObject | None:
        """The document of a version with its layout, or None."""
        with self._database.snapshot() as session:
            found = session.get(FlowVersion, (flow, version))
            if found is None:
                return None
            return found.definition | ({"layout": found.layout} if found.layout else {})

    def list(self) -> Sequence[FlowSummary]:
        """All flows in the order of their ids."""
        return self._summaries()

    def get(self, flow: str) -> FlowSummary | None:
        """One flow, or None."""
        found = self._summaries(flow)
        return found[0] if found else None

    def versions(self, flow: str) -> Sequence[VersionSummary]:
        """The versions of a flow, newest upload first."""
        query = select(FlowVersion).where(FlowVersion.flow_id == flow)
        with self._database.snapshot() as session:
            rows = session.scalars(query.order_by(FlowVersion.uploaded_at.desc(), FlowVersion.version))
            return [_version(row) for row in rows]

    def version(self, flow: str, version: str) -> VersionSummary | None:
        """One version, or None."""
        with self._database.snapshot() as session:
            found = session.get(FlowVersion, (flow, version))
            return _version(found) if found else None

    def activations(self, flow: str) -> Sequence[Activation]:
        """Which versions were active since when, newest first."""
        query = select(FlowActivation).where(FlowActivation.flow_id == flow).order_by(FlowActivation.id.desc())
        with self._database.snapshot() as session:
            return [Activation(row.version, row.activated_at, row.activated_by) for row in session.scalars(query)]

    def ids(self, session: Session) -> Sequence[str]:
        """The ids of all flows."""
        return session.scalars(select(Flow.id)).all()

    def save_version(
        self, session: Session, summary: VersionSummary, definition: JsonObject, layout: JsonObject
    ) -> bool:
        """Keeps a version. False when it was there; only its layout, which is no part of it, is then replaced.

        What the upload found is then noted as by `checked`.
        """
        flow = {"id": summary.flow, "name": summary.name, "kind": summary.kind, "created_at": summary.uploaded_ms}
        session.execute(
            upsert(Flow).values(flow).on_conflict_do_update(
                index_elements=[Flow.id], set_={"name": summary.name, "kind": summary.kind}
            )
        )  # fmt: skip
        row = {
            "flow_id": summary.flow,
            "version": summary.version,
            "name": summary.name,
            "kind": summary.kind,
            "definition": definition,
            "layout": layout,
            "findings": list(summary.findings),
            "uploaded_at": summary.uploaded_ms,
            "uploaded_by": summary.uploaded_by,
            "checked_at": summary.checked_ms,
            "checked_by": summary.checked_by,
        }
        statement = upsert(FlowVersion).values(row).on_conflict_do_nothing().returning(FlowVersion.version)
        if session.execute(statement).first() is not None:
            return True
        same = (FlowVersion.flow_id == summary.flow) & (FlowVersion.version == summary.version)
        session.execute(update(FlowVersion).where(same).values(layout=layout))
        self.checked(session, summary)
        return False

    def checked(self, session: Session, summary: VersionSummary) -> None:
        """Notes what a check has found: a draft that has passed is one no longer. What has passed once stays so."""
        same = (FlowVersion.flow_id == summary.flow) & (FlowVersion.version == summary.version)
        values = {
            "findings": list(summary.findings),
            "checked_at": summary.checked_ms,
            "checked_by": summary.checked_by,
        }
        session.execute(update(FlowVersion).where(same & FlowVersion.checked_at.is_(None)).values(values))

    def activate(self, session: Session, flow: str, version: str, *, now_ms: int, by: str) -> str | None:
        """Makes a version the active one; an older one again is a roll-back. Returns the version that was active.

        Raises `NoSuchRow`. Activating the active version again adds nothing to the history.
        """
        if session.get(FlowVersion, (flow, version)) is None:
            raise NoSuchRow(f"flow {flow} version {version}")
        newest = select(FlowActivation.version).where(FlowActivation.flow_id == flow)
        before = session.scalar(newest.order_by(FlowActivation.id.desc()).limit(1))
        if before != version:
            session.add(FlowActivation(flow_id=flow, version=version, activated_at=now_ms, activated_by=by))
            session.flush()
        return before

    def was_active(self, flow: str, version: str) -> bool:
        """Whether a version was, or is, the active one."""
        same = (FlowActivation.flow_id == flow) & (FlowActivation.version == version)
        with self._database.snapshot() as session:
            return session.scalar(select(FlowActivation.id).where(same).limit(1)) is not None

    def _summaries(self, flow: str | None = None) -> Sequence[FlowSummary]:
        newest = active()
        query = select(Flow, newest.c.version, newest.c.activated_at).outerjoin(newest, newest.c.flow_id == Flow.id)
        if flow is not None:
            query = query.where(Flow.id == flow)
        with self._database.snapshot() as session:
            rows = session.execute(query.order_by(Flow.id)).all()
        return [FlowSummary(each.id, each.name, each.kind, version, at) for each, version, at in rows]


def standing(activations: Sequence[Activation]) -> list[str]:
    """The versions that a roll-back goes through, the active one last, from activations in the order of `activations`.

    Whoever goes back to a version has left those that came after it: they are no longer among them.
    """
    versions: list[str] = []
    for each in reversed(activations):
        if each.version in versions:
            del versions[versions.index(each.version) :]
        versions.append(each.version)
    return versions


def active() -> Any:
    """A subquery of the newest activation of each flow."""
    place = func.row_number().over(partition_by=FlowActivation.flow_id, order_by=FlowActivation.id.desc())
    ranked = select(FlowActivation, place.label("place")).subquery()
    return select(ranked).where(ranked.c.place == 1).subquery()


def _version(row: FlowVersion) -> VersionSummary:
    return VersionSummary(
        flow=row.flow_id,
        version=row.version,
        name=row.name,
        kind=row.kind,
        findings=tuple(row.findings),
        uploaded_ms=row.uploaded_at,
        uploaded_by=row.uploaded_by,
        checked_ms=row.checked_at,
        checked_by=row.checked_by,
    )
