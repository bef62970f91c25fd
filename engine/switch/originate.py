"""An outgoing leg that is being rung, and what its end means."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import gevent
from gevent.event import AsyncResult

from engine.switch.port import LOST_CAUSE, Originated, Outcome, SwitchError, SwitchLost

log = logging.getLogger(__name__)

_CANCEL_AGAIN_S = 0.1
"""Right after the order the leg may not exist yet; the switch then answers that there is no such channel."""
_CANCEL_TRIES = 50
_CAUSE = re.compile(r"-ERR ([A-Z][A-Z0-9_]+)")
_OUTCOMES: dict[str, Outcome] = {
    "USER_BUSY": "busy",
    "NO_ANSWER": "no_answer",
    "NO_USER_RESPONSE": "no_answer",
    "ALLOTTED_TIMEOUT": "no_answer",
    "PROGRESS_TIMEOUT": "no_answer",
    "CALL_REJECTED": "rejected",
    "USER_NOT_REGISTERED": "not_registered",
    "SUBSCRIBER_ABSENT": "not_registered",
    "ORIGINATOR_CANCEL": "cancelled",
    "LOSE_RACE": "cancelled",
}


def outcome_of(job: str) -> Originated:
    """What the text of a finished background job says: `+OK <uuid>` or `-ERR <CAUSE>`."""
    if job.startswith("+OK"):
        return Originated("answered")
    found = _CAUSE.match(job)
    cause = found.group(1) if found else "NORMAL_UNSPECIFIED"
    return Originated(_OUTCOMES.get(cause, "failed"), cause)


class Ringing:
    """`Originate` of the switch port."""

    def __init__(self, leg: str, kill: Callable[[str, str], bool]) -> None:
        """`kill` hangs up a leg by id and cause; False where there is no such leg (yet)."""
        self.leg = leg
        self._kill = kill
        self._cancelled = False
        self._done: AsyncResult = AsyncResult()
        self._lost: SwitchLost | None = None
        self._callbacks: list[Callable[[Originated], None]] = []

    @property
    def result(self) -> Originated | None:
        return self._done.value if self._done.ready() else None

    def wait(self, timeout_s: float) -> Originated | None:
        self._done.wait(timeout_s)
        if self._lost is not None:
            raise self._lost
        return self.result

    def on_done(self, callback: Callable[[Originated], None]) -> Callable[[], None]:
        """Callbacks run in a greenlet of their own. A broken connection is reported as failed, NETWORK_OUT_OF_ORDER."""
        result = self.result
        if result is not None:
            callback(result)
            return lambda: None
        self._callbacks.append(callback)

        def take_back() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return take_back

    def cancel(self) -> None:
        if self._cancelled:
            return
        result = self.result
        self._cancelled = True
        if result is None or result.outcome == "answered":
            gevent.spawn(self._kill_leg, "ORIGINATOR_CANCEL" if result is None else "NORMAL_CLEARING")

    def finish(self, result: Originated) -> None:
        """The switch told the outcome."""
        if self._done.ready():
            return
        if self._cancelled and result.outcome == "answered":
            gevent.spawn(self._kill_leg, "NORMAL_CLEARING")
            result = Originated("cancelled", "ORIGINATOR_CANCEL")
        elif self._cancelled:
            result = Originated("cancelled", result.cause)
        self._set(result)

    def lose(self, reason: SwitchLost) -> None:
        """The connection broke; what became of the leg is not known."""
        if not self._done.ready():
            self._lost = reason
            self._set(Originated("failed", LOST_CAUSE))

    def _set(self, result: Originated) -> None:
        self._done.set(result)
        callbacks, self._callbacks = self._callbacks, []
        if callbacks:
            gevent.spawn(self._call_back, callbacks, result)

    def _call_back(self, callbacks: list[Callable[[Originated], None]], result: Originated) -> None:
        for callback in callbacks:
            try:
                callback(result)
            except Exception:
                log.exception("%s: a callback failed", self.leg)

    def _kill_leg(self, cause: str) -> None:
        for _ in range(_CANCEL_TRIES):
            try:
                if self._kill(self.leg, cause):
                    return
            except SwitchError as fault:
                log.warning("%s: not cancelled: %s", self.leg, fault)
                return
            self._done.wait(_CANCEL_AGAIN_S)
            if self._done.ready():
                return
