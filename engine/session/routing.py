"""The engine's copy of the routing data and of the flows, so that no database stands on the path of a call.

The copy is kept on disk too: an engine that starts while PostgreSQL is away works with what it knew last.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from pydantic import TypeAdapter

import ivr_flows
from engine.domain.ports import Offload, at_once
from engine.domain.routing import RoutingSnapshot

log = logging.getLogger(__name__)

_SNAPSHOT: TypeAdapter[RoutingSnapshot] = TypeAdapter(RoutingSnapshot)
_WRITES = itertools.count()
KEPT_SNAPSHOTS = 50
KEPT_FLOWS = 500
REFRESH_WAIT_S = 2.0
"""The longest that a call waits for routing data to be looked up anew; then it goes by what is known."""
REFRESH_EVERY_S = 0.1
"""Between the beginnings of two look-ups, however many ask."""
AWAY_PAUSE_S = 1.0
"""How long a source that was away is not asked again."""


class FlowNotFound(LookupError):
    """Nobody knows this version of the flow, or nobody who knows can be asked."""

    def __init__(self, flow: str, version: str) -> None:
        super().__init__(f"flow {flow!r} has no version {version!r} here")


class RoutingUnavailable(Exception):
    """The source of routing data is away."""


class RoutingSource(Protocol):
    """Where routing data comes from (PostgreSQL). Both raise RoutingUnavailable when it is away."""

    def version(self) -> int: ...
    def snapshot(self) -> RoutingSnapshot: ...


class FlowDefinitions(Protocol):
    """Where flows' definitions come from (PostgreSQL). Raises RoutingUnavailable when it is away."""

    def definition(self, flow: str, version: str) -> Mapping[str, Any] | None:
        """The document, None when there is no such version."""


class Flows:
    """`ivr_flows.program.FlowSource` with memory and disk before the database. A version never changes."""

    def __init__(self, definitions: FlowDefinitions, directory: Path, offload: Offload = at_once) -> None:
        self._definitions = definitions
        self._directory = directory
        self._offload = offload
        self._loaded: OrderedDict[tuple[str, str], ivr_flows.Flow] = OrderedDict()

    def get(self, flow_id: str, version: str) -> ivr_flows.Flow:
        """The flow. Raises FlowNotFound when nobody knows it, or while nobody can be asked."""
        key = (flow_id, version)
        flow = self._loaded.get(key)
        if flow is None:
            flow = self._loaded[key] = ivr_flows.load_stored(self._document(flow_id, version))
            if len(self._loaded) > KEPT_FLOWS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return flow

    def _document(self, flow_id: str, version: str) -> Mapping[str, Any]:
        path = self._directory / f"{flow_id}-{version}.json"
        content = self._offload(lambda: path.read_bytes() if path.exists() else None)
        if content is not None:
            document: Mapping[str, Any] = json.loads(content)
            return document
        try:
            found = self._definitions.definition(flow_id, version)
        except RoutingUnavailable as error:
            raise FlowNotFound(flow_id, version) from error
        if found is None:
            raise FlowNotFound(flow_id, version)
        self._offload(lambda: write_whole(path, json.dumps(found).encode()))
        return found


class Routing:
    """Snapshots of the routing data, the newest and those that live calls began with."""

    def __init__(self, source: RoutingSource, flows: Flows, copy: Path, offload: Offload = at_once) -> None:
        self._source = source
        self._flows = flows
        self._copy = copy
        self._offload = offload
        self._kept: OrderedDict[int, RoutingSnapshot] = OrderedDict()
        self._loading = BoundedSemaphore(1)
        self._next: gevent.Greenlet | None = None
        """The look-up that has not begun yet; everybody who asks now waits for this one."""
        self._began_s: float | None = None
        """When the look-up that is under way began."""
        self._free_s = 0.0
        """When the next look-up may begin."""
        self._away_until_s = 0.0
        """Until then the source is not asked again; 0: it answered."""
        self.changed = Event()

    def load(self) -> None:
        """Get the newest snapshot, from the database or else from the copy on disk."""
        try:
            self._take(self._source.snapshot())
        except RoutingUnavailable as error:
            if self._kept:
                raise
            if not self._copy.exists():
                raise
            log.warning("routing: database is away (%s), working with the copy of %s", error, self._copy)
            self._take(_SNAPSHOT.validate_json(self._copy.read_bytes()), save=False)

    def watch(self, every_s: float) -> None:
        """Look for a new version for ever: when told (`changed`), and every `every_s` besides."""
        while True:
            self.changed.wait(every_s)
            self.changed.clear()
            self.refresh()

    def refresh(self) -> None:
        """Get the newest snapshot if there is a newer one. While the source is away, what is known stays.

        All who ask at the same time share one look-up, and nobody waits for it longer than `REFRESH_WAIT_S`: calls to
        numbers that do not exist may come by the hundred, while the source is away too.
        """
        now_s = time.monotonic()
        if now_s < self._away_until_s or (self._began_s is not None and now_s - self._began_s > REFRESH_WAIT_S):
            return
        if self._next is None:
            self._next = gevent.spawn(self._look_up)
        self._next.join(REFRESH_WAIT_S)

    def _look_up(self) -> None:
        with self._loading:
            gevent.sleep(max(0.0, self._free_s - time.monotonic()))
            # Who asks from here on may know of a change that this look-up does not see, and waits for the next one.
            self._next = None
            self._began_s = time.monotonic()
            self._free_s = self._began_s + REFRESH_EVERY_S
            try:
                if self._source.version() != self.current().version:
                    self.load()
                    log.info("routing: version %d", self.current().version)
                if self._away_until_s:
                    log.info("routing: the database is back")
                self._away_until_s = 0.0
            except RoutingUnavailable as error:
                if not self._away_until_s:
                    log.warning("routing: not refreshed, what is known stays: %s", error)
                self._away_until_s = time.monotonic() + AWAY_PAUSE_S
            finally:
                self._began_s = None

    def current(self) -> RoutingSnapshot:
        """The newest snapshot; an empty one of version 0 before the first load."""
        return next(reversed(self._kept.values())) if self._kept else RoutingSnapshot(0)

    def at(self, version: int) -> RoutingSnapshot:
        """The snapshot of that version, or the newest where it is gone (another engine began the call)."""
        return self._kept.get(version) or self.current()

    def _take(self, snapshot: RoutingSnapshot, save: bool = True) -> None:
        for flow, version in snapshot.active_flows.items():
            try:
                self._flows.get(flow, version)
            except (FlowNotFound, ivr_flows.FlowInvalid, ValueError, OSError) as fault:
                log.error("routing: active flow can't be loaded, its calls will be refused: %s", fault)
        self._kept[snapshot.version] = snapshot
        self._kept.move_to_end(snapshot.version)
        if len(self._kept) > KEPT_SNAPSHOTS:
            self._kept.popitem(last=False)
        if save:
            try:
                self._offload(lambda: write_whole(self._copy, _SNAPSHOT.dump_json(snapshot)))
            except OSError as fault:
                log.error("routing: no copy kept in %s: %s", self._copy, fault)


def write_whole(path: Path, content: bytes) -> None:
    """Write the file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + f".{os.getpid()}.{next(_WRITES)}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
