"""Notices on general problems: kept ready, switched on and off with one call (R24)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from dialplan.faults import Fault
from engine.domain.ports import Clock
from engine.domain.routing import NoticeEntry
from engine.services.changes import Actor, Change, Changes
from engine.services.errors import NoticeInUse, NoticeNotFound, NoticeRefused
from engine.services.flows import active_users
from engine.services.prompts import PromptFiles
from engine.services.routing_data import RoutingData, id_faults, sound_faults
from engine.store.audit import read_audit
from engine.store.catalogue import NOTICES
from engine.store.columns import LATEST_MS
from engine.store.database import Database
from engine.store.flows import FlowStore

_HISTORY = 100
"""How many changes are told."""


@dataclass(frozen=True, slots=True)
class Switching:
    """Whether a notice is to be on, and until when (UTC epoch ms, None for until somebody switches it off)."""

    active: bool
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NoticeChange:
    """What somebody did to a notice. `action`: `notice.put`, `notice.on`, `notice.off`, `notice.delete`."""

    at_ms: int
    by: str
    action: str
    active: bool
    until_ms: int | None


class Notices(RoutingData[NoticeEntry]):
    """The use cases around notices. One that has switched itself off is shown as off."""

    name = "notice"
    catalogue = NOTICES
    not_found = NoticeNotFound

    def __init__(self, database: Database, changes: Changes, prompts: PromptFiles, clock: Clock) -> None:
        super().__init__(database, changes)
        self._prompts = prompts
        self._clock = clock

    def list(self) -> Sequence[NoticeEntry]:
        """All notices in the order of their ids."""
        now_ms = self._clock.now_ms()
        return [_as_of(each, now_ms) for each in super().list()]

    def get(self, key: str) -> NoticeEntry:
        """One notice. Raises NoticeNotFound."""
        return _as_of(super().get(key), self._clock.now_ms())

    def put(
        self, notice: str, name: str, sounds: Mapping[str, str], switching: Switching | None, by: Actor
    ) -> tuple[NoticeEntry, bool]:
        """Writes a notice, and whether it is new. `switching` None: it stays as it is, a new one off.

        Raises NoticeRefused with every fault.
        """
        with self._changes.of_routing(by, "notice.put", f"notice:{notice}") as change:
            faults = [*id_faults(notice), *([] if name else [Fault("name", "is empty")]), *_language_faults(sounds)]
            faults += sound_faults({f"sounds.{language}": path for language, path in sounds.items()}, self._prompts)
            before = NOTICES.get(change.session, notice)
            wanted = switching or (Switching(before.active, before.until_ms) if before else Switching(False))
            faults += _until_faults(switching, change.now_ms)
            if faults:
                raise NoticeRefused(faults)
            return self._write(change, NoticeEntry(id=notice, name=name, sounds=sounds), wanted, by)

    def switch(self, notice: str, switching: Switching, by: Actor) -> NoticeEntry:
        """Switches a notice on or off: calls that come to it from now on hear it, or don't.

        Raises NoticeNotFound, NoticeRefused.
        """
        action = "notice.on" if switching.active else "notice.off"
        with self._changes.of_routing(by, action, f"notice:{notice}") as change:
            found = NOTICES.get(change.session, notice)
            if found is None:
                raise NoticeNotFound(notice)
            if faults := _until_faults(switching, change.now_ms):
                raise NoticeRefused(faults)
            return self._write(change, found, switching, by)[0]

    def history(self, notice: str) -> Sequence[NoticeChange]:
        """Who changed or switched it and when, newest first, the last hundred. Raises NoticeNotFound."""
        self.get(notice)
        with self._database.transaction() as session:
            rows = read_audit(session, f"notice:{notice}", _HISTORY)
        return [
            NoticeChange(row.at_ms, row.actor, row.action, row.detail.get("active", False), row.detail.get("until_ms"))
            for row in rows
            if row.outcome == "ok"
        ]

    def check_unused(self, session: Session, key: str) -> None:
        """Raises NoticeInUse."""
        users = active_users(FlowStore(self._database), "notice", key)
        if users:
            raise NoticeInUse(key, users)

    def _write(self, change: Change, entry: NoticeEntry, switching: Switching, by: Actor) -> tuple[NoticeEntry, bool]:
        made = _as_of(
            replace(
                entry,
                active=switching.active,
                until_ms=switching.until_ms,
                changed_ms=change.now_ms,
                changed_by=by.name,
            ),
            change.now_ms,
        )
        change.detail |= {"active": made.active, "until_ms": made.until_ms}
        return made, NOTICES.put(change.session, made)


def _as_of(entry: NoticeEntry, now_ms: int) -> NoticeEntry:
    return entry if entry.is_on(now_ms) else replace(entry, active=False, until_ms=None)


def _language_faults(sounds: Mapping[str, str]) -> Sequence[Fault]:
    if not sounds:
        return [Fault("sounds", "is empty; name a sound file for at least one language")]
    message = "is not a language of two letters, like 'cs'"
    return [
        Fault(f"sounds.{language}", f'"{language}" {message}')
        for language in sounds
        if not re.fullmatch(r"[a-z]{2}", language)
    ]


def _until_faults(switching: Switching | None, now_ms: int) -> Sequence[Fault]:
    if switching is None or switching.until_ms is None:
        return []
    if not switching.active:
        return [Fault("until", "is only for a notice that is on")]
    if not now_ms < switching.until_ms <= LATEST_MS:
        return [Fault("until", "is not in the future")]
    return []
