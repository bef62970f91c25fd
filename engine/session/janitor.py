"""Sees to the calls of engines that died, from the journal and the switch: none is forgotten, each has its record.

A call is orphaned when its journal is open and no engine holds it. One that is over is closed: its engine died while
the call was in conversation, which the switch keeps up without us, and the caller hung up before anybody took it up
again. One that lives usually comes by itself, when its conversation or its prompt ends; but a prompt may be long, and
a channel may wait for an engine that is gone. So it is fetched, unless it is in conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gevent.event import Event

from engine.cdr.outbox import CallOutbox
from engine.cdr.record import JournalBroken
from engine.domain.ports import Clock
from engine.session.conversation import Conversations, note_bridge
from engine.session.journal import Journal, JournalUnavailable
from engine.session.log import CallLog
from engine.session.register import Register
from engine.session.session import end_call
from engine.switch.port import ChannelEnd, Control, SwitchError

log = logging.getLogger(__name__)

FORGOTTEN_MS = 4 * 3600 * 1000
"""An orphan whose switch can't be asked is closed when nothing was heard of it for as long as a call may last."""
LONELY_MS = 2_500
"""How long a call must have been an orphan before it is fetched: an engine's sign of life comes every two seconds, and
after an outage of Redis all of them are missing for a moment."""
CLOSING_S = 60
FETCHING_S = 15
"""A fetched call is with an engine within a second, or in the dialplan's rounds, which must not be cut short."""
REMEMBER_MS = 60_000
"""How long a hangup that belongs to another engine's call is kept, until that engine proves to live or to be dead."""


class Settles(Protocol):
    """What holds agents for calls."""

    def settle(self, call: CallLog) -> None:
        """The call has ended: nobody is held for it any more. Never raises."""


class Janitor:
    """One greenlet an engine. `controls` by the switch's name; `entry` is where fetched calls are sent."""

    def __init__(
        self,
        engine: str,
        journal: Journal,
        register: Register,
        outbox: CallOutbox,
        controls: Mapping[str, Control],
        clock: Clock,
        conversations: Conversations,
        settled: Iterable[Settles],
        entry: str,
        every_s: float = 3.0,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._register = register
        self._outbox = outbox
        self._controls = controls
        self._clock = clock
        self._conversations = conversations
        self._settled = tuple(settled)
        self._entry = entry
        self._every_s = every_s
        self._lonely_since: dict[str, int] = {}
        self._wake = Event()
        self._ends: dict[str, tuple[int, ChannelEnd]] = {}
        for control in controls.values():
            control.on_channel_end(self._note_end)

    def run(self) -> None:
        """Look around for ever."""
        while True:
            self._wake.wait(self._every_s)
            self._wake.clear()
            self._guarded(self.sweep)

    def sweep(self) -> int:
        """Close or fetch every orphan; how many were closed. One that can't be closed does not keep others from it."""
        self._forget_old_ends()
        closed = 0
        lonely, self._lonely_since = self._lonely_since, {}
        lives: dict[str, bool] = {}
        for call_id, owner in self._journal.open_calls().items():
            if call_id in self._register:
                continue
            if owner != self._engine:
                if owner not in lives:
                    lives[owner] = self._journal.engine_lives(owner)
                if lives[owner]:
                    continue
            self._lonely_since[call_id] = lonely.get(call_id, self._clock.now_ms())
            try:
                closed += self._look_at(call_id)
            except (JournalBroken, ValueError) as broken:
                log.error("orphan %s: its journal can't be read and is left to expire: %s", call_id, broken)
                self._journal.close(call_id)
            except (JournalUnavailable, OSError) as error:
                log.warning("orphan %s: not closed now: %s", call_id, error)
        return closed

    def _note_end(self, end: ChannelEnd) -> None:
        if end.uuid in self._register:
            return
        self._ends[end.uuid] = (self._clock.now_ms(), end)
        if end.uuid in self._lonely_since:
            self._wake.set()

    def _look_at(self, call_id: str) -> int:
        """1 when the call was over and has been closed."""
        entries = self._journal.load(call_id)
        if not entries:
            log.error("orphan %s: has no journal; forgotten", call_id)
            self._journal.close(call_id)
            return 0
        call = CallLog(call_id, self._journal, self._clock, entries)
        end = self._end_of(call)
        if end is None:
            self._fetch(call)
            return 0
        if not self._journal.claim("closing", call_id, CLOSING_S):
            return 0
        if not call.ended:
            note_bridge(call, end.variables.get("last_bridge_to", ""))
            for part in self._settled:
                part.settle(call)
            self._conversations.hang_up_legs(call, call.facts.switch, end.cause)
            log.warning("call %s: closed after its engine's death, cause %s", call_id, end.cause)
        end_call(call, end, self._outbox)
        return 1

    def _fetch(self, call: CallLog) -> None:
        control = self._control(call.facts.switch)
        lonely_ms = self._clock.now_ms() - self._lonely_since[call.call_id]
        if control is None or call.ended or lonely_ms < LONELY_MS:
            return
        if not self._journal.claim("fetching", call.call_id, FETCHING_S):
            return
        try:
            if control.fetch(call.call_id, self._entry):
                log.warning("call %s: fetched after its engine's death", call.call_id)
        except SwitchError as error:
            log.info("orphan %s: not fetched now: %s", call.call_id, error)

    def _end_of(self, call: CallLog) -> ChannelEnd | None:
        """How the call ended; None when it lives, or when its switch can't be asked."""
        if call.call_id in self._ends:
            return self._ends[call.call_id][1]
        control = self._control(call.facts.switch)
        try:
            if control is not None and control.connected:
                gone = not control.exists(call.call_id)
                return ChannelEnd(call.call_id, "NORMAL_UNSPECIFIED", False, {}) if gone else None
        except SwitchError as error:
            log.info("orphan %s: switch can't be asked: %s", call.call_id, error)
        too_old = self._clock.now_ms() - call.entries[-1].at_ms > FORGOTTEN_MS
        return ChannelEnd(call.call_id, "NETWORK_OUT_OF_ORDER", False, {}) if too_old else None

    def _control(self, switch: str) -> Control | None:
        if len(self._controls) == 1:
            return next(iter(self._controls.values()))
        return self._controls.get(switch)

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
