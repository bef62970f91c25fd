"""Flows: upload, activate, roll back, look at (R21)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

import ivr_flows
from engine.domain.call import JsonObject
from engine.services.changes import Actor, Changes
from engine.services.errors import FlowNotFound, FlowRefused, FlowVersionNotFound
from engine.store.catalogue import AGENTS, CALENDARS, TRUNKS
from engine.store.columns import dump_json
from engine.store.database import Database
from engine.store.errors import NoSuchRow
from engine.store.flows import Activation, FlowStore, FlowSummary, VersionSummary
from ivr_flows import Finding
from ivr_flows.references import references

Document = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of an upload. `created` is False when this very version was there; `findings` are warnings."""

    flow: str
    version: str
    created: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FlowDetail:
    """A flow with all its versions and the history of activations, newest first."""

    summary: FlowSummary
    versions: Sequence[VersionSummary]
    activations: Sequence[Activation]


class Flows:
    """The use cases around flows."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self._store = FlowStore(database)

    def upload(self, document: Document, by: Actor) -> UploadOutcome:
        """Checks a flow and keeps it as a version, which is not yet active.

        Raises FlowRefused with all findings. Uploading a version again only replaces its layout.
        """
        with self._changes.of_other(by, "flow.upload", "flow") as change:
            flow, content, findings = self._checked(document, change.session)
            layout = content.pop("layout", None)
            change.subject = f"flow:{flow.id}"
            change.detail["version"] = flow.version
            summary = VersionSummary(
                flow=flow.id,
                version=flow.version,
                name=flow.name,
                kind=flow.kind,
                findings=tuple(asdict(finding) for finding in findings),
                uploaded_ms=change.now_ms,
                uploaded_by=by.name,
            )
            layout = layout if isinstance(layout, dict) else {}
            created = self._store.save_version(change.session, summary, content, layout)
        return UploadOutcome(flow.id, flow.version, created, findings)

    def activate(self, flow: str, version: str, by: Actor) -> FlowDetail:
        """Makes a version the one that new calls get; an older one again is a roll-back.

        Raises FlowNotFound, FlowVersionNotFound; FlowRefused when something that it refers to is gone meanwhile.
        """
        with self._changes.of_routing(by, "flow.activate", f"flow:{flow}") as change:
            change.detail["version"] = version
            definition = self._definition(flow, version)
            self._checked(definition, change.session)
            try:
                before = self._store.activate(change.session, flow, version, now_ms=change.now_ms, by=by.name)
            except NoSuchRow as error:
                raise FlowVersionNotFound(flow, version) from error
            change.detail["before"] = before
        return self.get(flow)

    def list(self) -> Sequence[FlowSummary]:
        """All flows."""
        return self._store.list()

    def get(self, flow: str) -> FlowDetail:
        """One flow. Raises FlowNotFound."""
        summary = self._store.get(flow)
        if summary is None:
            raise FlowNotFound(flow)
        return FlowDetail(summary, self._store.versions(flow), self._store.activations(flow))

    def definition(self, flow: str, version: str) -> JsonObject:
        """The document of a version with its layout. Raises FlowNotFound, FlowVersionNotFound."""
        return self._definition(flow, version)

    def _definition(self, flow: str, version: str) -> JsonObject:
        found = self._store.definition(flow, version)
        if found is not None:
            return found
        if self._store.get(flow) is None:
            raise FlowNotFound(flow)
        raise FlowVersionNotFound(flow, version)

    def _checked(self, document: Document, session: Session) -> tuple[ivr_flows.Flow, JsonObject, tuple[Finding, ...]]:
        try:
            flow = ivr_flows.load(document)
        except ivr_flows.FlowInvalid as invalid:
            raise FlowRefused(invalid.findings) from invalid
        findings = ivr_flows.check(document, _World(session, self._store, flow.id))
        content = json.loads(document) if isinstance(document, str) else dict(document)
        if json.loads(dump_json(content)) != content:
            message = "a text holds a NUL or half of a surrogate pair, which can't be stored"
            findings.append(Finding("error", "bad_text", None, None, message))
        if any(finding.severity == "error" for finding in findings):
            raise FlowRefused(findings)
        return flow, content, tuple(findings)


class _World:
    """What a flow may refer to, as it stands in the database. `ivr_flows.World`."""

    def __init__(self, session: Session, store: FlowStore, own: str) -> None:
        self._session = session
        self._store = store
        self._own = own

    def names(self, kind: str) -> Collection[str] | None:
        """The ids of all that exists of a kind. Prompts lie on the switches, which the API does not see."""
        match kind:
            case "flow":
                return {*self._store.ids(self._session), self._own}
            case "agent":
                return [entry.id for entry in AGENTS.list(self._session)]
            case "trunk":
                return [entry.id for entry in TRUNKS.list(self._session)]
            case "calendar":
                return [entry.id for entry in CALENDARS.list(self._session)]
        return None


def active_users(store: FlowStore, kind: str, name: str) -> list[str]:
    """The active flows, as `flow <id>`, that refer to this agent, trunk or calendar."""
    users = []
    for summary in store.list():
        definition = store.definition(summary.id, summary.active_version) if summary.active_version else None
        if definition is not None and name in _names(definition, kind):
            users.append(f"flow {summary.id}")
    return users


def _names(definition: JsonObject, kind: str) -> set[str]:
    try:
        flow = ivr_flows.load(definition)
    except ivr_flows.FlowInvalid:
        return set()
    return {each.name for wired in flow.nodes.values() for each in references(wired.node) if each.kind == kind}
