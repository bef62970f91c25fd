"""Flows: upload, check, compare, activate, roll back, look at (R21)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy.orm import Session

import ivr_flows
from engine.domain.call import JsonObject
from engine.domain.features import FEATURES
from engine.services.changes import Actor, Changes
from engine.services.errors import (
    FlowNotActive,
    FlowNotFound,
    FlowRefused,
    FlowVersionNotFound,
    NothingBefore,
    ServiceError,
)
from engine.services.prompts import PromptFiles
from engine.services.speech import NoSpeech, Speech
from engine.store.catalogue import AGENTS, CALENDARS, NOTICES, QUEUES, TRUNKS, Catalogue
from engine.store.columns import dump_json
from engine.store.database import Database
from engine.store.errors import NoSuchRow
from engine.store.flows import Activation, FlowStore, FlowSummary, VersionSummary, standing
from engine.store.routing import RoutingStore
from ivr_flows import Finding, Longest, Report
from ivr_flows import speech as spoken
from ivr_flows.difference import Change, difference
from ivr_flows.references import references

Document = Mapping[str, Any] | str

_CATALOGUES: Mapping[str, Catalogue[Any]] = {
    "agent": AGENTS, "trunk": TRUNKS, "queue": QUEUES, "notice": NOTICES, "calendar": CALENDARS
}  # fmt: skip
"""Where the names are that flows may refer to, by kind."""

State = Literal["draft", "checked", "active"]

WAIT_FLOW = "queue_wait"
"""The kind of flows that waiting callers hear. No call may be led into one: nothing would end it."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What a check of a version found, and what the version is now. `to_person` is the longest way to a person."""

    flow: str
    version: str
    state: State
    findings: tuple[Finding, ...]
    to_person: Longest | None


@dataclass(frozen=True, slots=True)
class UploadOutcome(CheckOutcome):
    """What became of an upload. `created` is False when this very version was there."""

    created: bool


@dataclass(frozen=True, slots=True)
class FlowDifference:
    """What is different between two versions of a flow."""

    flow: str
    before: str
    after: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class FlowDetail:
    """A flow with all its versions and the history of activations, newest first."""

    summary: FlowSummary
    versions: Sequence[VersionSummary]
    activations: Sequence[Activation]

    def state(self, version: VersionSummary) -> State:
        """What a version is: a draft, which has not passed the checks; checked; or active for new calls."""
        if version.version == self.summary.active_version:
            return "active"
        return "draft" if version.checked_ms is None else "checked"


@dataclass(frozen=True, slots=True)
class ActivateOutcome(FlowDetail):
    """What became of an activation. `findings` are those of the version, all of them warnings."""

    findings: tuple[Finding, ...]


class Flows:
    """The use cases around flows."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        speech: Speech | None = None,
        prompts: PromptFiles | None = None,
        web: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._database = database
        self._prompts = prompts
        self._speech = speech or NoSpeech()
        self._web = web or {}
        self._changes = changes
        self._store = FlowStore(database)
        self._routing = RoutingStore(database)

    def upload(self, document: Document, by: Actor, *, draft: bool = False) -> UploadOutcome:
        """Checks a flow and keeps it as a version, which is not yet active. A draft is kept whatever the checks find.

        Raises FlowRefused with all findings; for a draft only when nothing could be kept. Uploading a version again
        replaces its layout, and checks it anew.
        """
        examined = self._examined(document)
        with self._changes.of_other(by, "flow.upload", "flow") as change:
            if isinstance(examined, FlowRefused):
                raise examined
            if not examined.report.ok and not (draft and examined.storable):
                raise FlowRefused(examined.report.findings)
            content = dict(examined.content)
            layout = content.pop("layout", None)
            change.subject = f"flow:{examined.outline.id}"
            change.detail["version"] = examined.outline.version
            summary = examined.summary(change.now_ms, by.name)
            layout = layout if isinstance(layout, dict) else {}
            created = self._store.save_version(change.session, summary, content, layout)
        self._prepare(document, examined)
        return UploadOutcome(*self._outcome(examined), created)

    def check(self, flow: str, version: str, by: Actor) -> CheckOutcome:
        """Checks a version against all that exists now. A draft that passes is one no longer.

        Raises FlowNotFound, FlowVersionNotFound.
        """
        examined = self._examine(self._definition(flow, version))
        with self._changes.of_other(by, "flow.check", f"flow:{flow}") as change:
            change.detail["version"] = version
            self._store.checked(change.session, examined.summary(change.now_ms, by.name))
        return CheckOutcome(*self._outcome(examined))

    def difference(self, flow: str, before: str, after: str) -> FlowDifference:
        """What is different between two versions, each given by its name or as `active`.

        Raises FlowNotFound, FlowVersionNotFound.
        """
        names = [self._named(flow, version) for version in (before, after)]
        changes = difference(*(self._definition(flow, version) for version in names))
        return FlowDifference(flow, names[0], names[1], changes)

    def activate(self, flow: str, version: str, by: Actor) -> ActivateOutcome:
        """Makes a version the one that new calls get; an older one again is a roll-back.

        Raises FlowNotFound, FlowVersionNotFound; FlowRefused when something that it refers to is gone meanwhile. A
        version that was active before is refused only for that, and for what keeps it from running.
        """
        return self._activate(flow, by, "flow.activate", lambda: version)

    def roll_back(self, flow: str, left: str, by: Actor) -> ActivateOutcome:
        """Makes the version active again that was active before the version `left`, which must be the active one.

        Going back again goes one further: never to a version that was left by going back. Raises as `activate`, and
        FlowNotActive, NothingBefore.
        """

        def before() -> str:
            if self._store.get(flow) is None:
                raise FlowNotFound(flow)
            versions = standing(self._store.activations(flow))
            if versions[-1:] != [left]:
                raise FlowNotActive(flow, left, versions[-1] if versions else None)
            if len(versions) == 1:
                raise NothingBefore(flow, left)
            return versions[-2]

        return self._activate(flow, by, "flow.roll_back", before)

    def _activate(self, flow: str, by: Actor, action: str, chosen: Callable[[], str]) -> ActivateOutcome:
        """The examination takes long, so it comes before the transaction, which every change of routing waits for.

        When routing data change meanwhile, it is done again in there, where nothing can change any more.
        """
        seen = self._routing.version()
        try:
            prepared = self._examined_for(flow, chosen())
        except ServiceError:
            prepared = None  # told within the change, whose trail must have it
        with self._changes.of_routing(by, action, f"flow:{flow}") as change:
            if prepared is None or change.detail["routing_version"] != seen + 1:
                prepared = self._examined_for(flow, chosen())
            definition, examined = prepared
            version = change.detail["version"] = examined.outline.version
            if not examined.report.ok:
                raise FlowRefused(examined.report.findings)
            self._store.checked(change.session, examined.summary(change.now_ms, by.name))
            try:
                before = self._store.activate(change.session, flow, version, now_ms=change.now_ms, by=by.name)
            except NoSuchRow as error:
                raise FlowVersionNotFound(flow, version) from error
            change.detail["before"] = before
        self._prepare(definition, examined)
        detail = self.get(flow)
        return ActivateOutcome(detail.summary, detail.versions, detail.activations, examined.report.findings)

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

    def _named(self, flow: str, version: str) -> str:
        if version != "active":
            return version
        summary = self._store.get(flow)
        if summary is None:
            raise FlowNotFound(flow)
        if summary.active_version is None:
            raise FlowVersionNotFound(flow, version)
        return summary.active_version

    def _outcome(self, examined: _Examined) -> tuple[str, str, State, tuple[Finding, ...], Longest | None]:
        found, report = examined.outline, examined.report
        kept = self.get(found.id)
        version = next(each for each in kept.versions if each.version == found.version)
        return found.id, found.version, kept.state(version), report.findings, report.to_person

    def _prepare(self, document: Document, examined: _Examined) -> None:
        """Have the texts of a flow spoken that calls may come into."""
        if examined.report.ok:
            self._speech.prepare(spoken.texts(ivr_flows.load_stored(document)))

    def _examined(self, document: Document) -> _Examined | FlowRefused:
        """What `_examine` gives or raises, for whoever must open a change before the refusal."""
        try:
            return self._examine(document)
        except FlowRefused as refused:
            return refused

    def _examined_for(self, flow: str, version: str) -> tuple[JsonObject, _Examined]:
        """The document of a version that is to be active, and what there is to be said of it."""
        definition = self._definition(flow, version)
        return definition, self._examine(definition, was_active=self._store.was_active(flow, version))

    def _examine(self, document: Document, *, was_active: bool = False) -> _Examined:
        """Checks a document against all that exists. Raises FlowRefused when it isn't known what flow it is.

        To be done outside of a transaction: of a large flow it takes seconds.
        """
        try:
            found = ivr_flows.outline(document)
        except ivr_flows.FlowInvalid:
            raise FlowRefused(ivr_flows.check(document)) from None
        world = _World(self._database, self._store, found.id, self._speech, self._prompts, self._web)
        report = ivr_flows.report(document, world, was_active=was_active)
        content = json.loads(document) if isinstance(document, str) else dict(document)
        storable = json.loads(dump_json(content)) == content
        if not storable:
            message = "a text holds a NUL or half of a surrogate pair, which can't be stored"
            report = replace(report, findings=(*report.findings, Finding("error", "bad_text", None, None, message)))
        return _Examined(found, content, report, storable)


@dataclass(frozen=True, slots=True)
class _Examined:
    """A document that was checked. One that isn't `storable` can't be kept as a draft either."""

    outline: ivr_flows.Outline
    content: JsonObject
    report: Report
    storable: bool

    def summary(self, now_ms: int, by: str) -> VersionSummary:
        """The version as it is kept, looked at now."""
        passed = self.report.ok
        return VersionSummary(
            flow=self.outline.id,
            version=self.outline.version,
            name=self.outline.name,
            kind=self.outline.kind,
            findings=tuple(asdict(finding) for finding in self.report.findings),
            uploaded_ms=now_ms,
            uploaded_by=by,
            checked_ms=now_ms if passed else None,
            checked_by=by if passed else None,
        )


class _World:
    """What a flow may refer to, as it stands in the database. `ivr_flows.World`."""

    def __init__(
        self,
        database: Database,
        store: FlowStore,
        own: str,
        speech: Speech,
        prompts: PromptFiles | None,
        web: Mapping[str, Collection[str]],
    ) -> None:
        self._database = database
        self._known: dict[str, Collection[str] | None] = {}
        self._store = store
        self._own = own
        self._speech = speech
        self._prompts = prompts
        self._web = web

    def flow(self, flow: str, version: str | None) -> JsonObject | None:
        """The document of another flow at a version, or at the active one."""
        if version is None:
            summary = self._store.get(flow)
            version = summary.active_version if summary is not None else None
        return self._store.definition(flow, version) if version is not None else None

    def names(self, kind: str) -> Collection[str] | None:
        """The ids of all that exists of a kind, asked once; of prompts, the files that are seen from here."""
        if kind not in self._known:
            self._known[kind] = self._names(kind)
        return self._known[kind]

    def _names(self, kind: str) -> Collection[str] | None:
        match kind:
            case "flow" | "agent" | "trunk" | "calendar" | "queue" | "notice":
                with self._database.snapshot() as session:
                    return self._stored(kind, session)
            case "origin" | "secret":
                return self._web.get(kind)
            case "feature":
                return FEATURES
            case "voice":
                return self._speech.languages()
            case "prompt":
                return self._prompts.files() if self._prompts is not None else None
        return None

    def _stored(self, kind: str, session: Session) -> Collection[str]:
        if kind == "flow":
            return {*self._store.ids(session), self._own}
        return {entry.id for entry in _CATALOGUES[kind].list(session)}


def active_users(store: FlowStore, kind: str, name: str) -> list[str]:
    """The active flows, as `flow <id>`, that refer to this agent, trunk, calendar, queue or notice."""
    users = []
    for summary in store.list():
        definition = store.definition(summary.id, summary.active_version) if summary.active_version else None
        if definition is not None and name in _names(definition, kind):
            users.append(f"flow {summary.id}")
    return users


def _names(definition: JsonObject, kind: str) -> set[str]:
    try:
        flow = ivr_flows.load_stored(definition)
    except ivr_flows.FlowInvalid:
        return set()
    return {each.name for wired in flow.nodes.values() for each in references(wired.node) if each.kind == kind}
