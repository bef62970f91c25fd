"""Closes the calls of engines that never came back, from the journal and the switch, so that each call has its record.

A call is orphaned when its journal is open and no engine holds it: its engine died while the call was in conversation
(the switch keeps it up without us) and the caller hung up before anybody took it up again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import gevent

from dialplan.xml import SEEN_VARIABLE
from engine.cdr.outbox import CallOutbox
from engine.domain.ports import Clock
from engine.session.journal import Journal, JournalUnavailable
from engine.session.log import CallLog
from engine.session.register import Register
from engine.session.session import end_call
from engine.switch.port import ChannelEnd, Control, SwitchError

log = logging.getLogger(__name__)

REMEMBER_MS = 60_000
"""How long a hangup that belongs to another engine's call is kept, until that engine proves to live or to be dead."""


class Janitor:
    """One greenlet an engine. `controls` by the switch's name."""

    def __init__(
        self,
        engine: str,
        journal: Journal,
        register: Register,
        outbox: CallOutbox,
        controls: Mapping[str, Control],
        clock: Clock,
        every_s: float = 3.0,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._register = register
        self._outbox = outbox
        self._controls = controls
        self._clock = clock
        self._every_s = every_s
        self._ends: dict[str, tuple[int, ChannelEnd]] = {}
        for control in controls.values():
            control.on_channel_end(self._note_end)

    def run(self) -> None:
        """Look around for ever."""
        while True:
            gevent.sleep(self._every_s)
            self._guarded(self.sweep)

    def sweep(self) -> int:
        """Close every orphaned call; how many there were."""
        self._forget_old_ends()
        closed = 0
        for call_id, owner in self._journal.open_calls().items():
            if call_id in self._register:
                continue
            if owner != self._engine and self._journal.engine_lives(owner):
                continue
            end = self._end_of(call_id)
            if end is not None and self._journal.may_close(call_id):
                closed += self._close(call_id, end)
        return closed

    def _note_end(self, end: ChannelEnd) -> None:
        if end.uuid in self._register or SEEN_VARIABLE not in end.variables:
            return
        self._ends[end.uuid] = (self._clock.now_ms(), end)
        gevent.spawn(self._guarded, self.sweep)

    def _end_of(self, call_id: str) -> ChannelEnd | None:
        """How the call ended; None when it lives, or when no switch can be asked."""
        if call_id in self._ends:
            return self._ends[call_id][1]
        if not self._controls:
            return None
        for control in self._controls.values():
            try:
                if not control.connected or control.exists(call_id):
                    return None
            except SwitchError as error:
                log.info("orphan %s: switch can't be asked: %s", call_id, error)
                return None
        return ChannelEnd(call_id, "NORMAL_UNSPECIFIED", by_remote=False, variables={})

    def _close(self, call_id: str, end: ChannelEnd) -> int:
        entries = self._journal.load(call_id)
        if not entries:
            log.error("orphan %s: has no journal; forgotten", call_id)
            self._journal.close(call_id)
            return 0
        call = CallLog(call_id, self._journal, self._clock, entries)
        end_call(call, end, self._outbox)
        log.warning("call %s: closed after its engine's death, cause %s", call_id, end.cause)
        return 1

    def _forget_old_ends(self) -> None:
        before = self._clock.now_ms() - REMEMBER_MS
        self._ends = {call: (at, end) for call, (at, end) in self._ends.items() if at > before}

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except JournalUnavailable as error:
            log.info("janitor: waits for the journal: %s", error)
        except Exception:
            log.exception("janitor: fault")
