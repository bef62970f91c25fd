"""The calls that this engine holds at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gevent.event import Event

if TYPE_CHECKING:
    from engine.session.session import Session


class Register:
    """Live sessions by call. `wait_idle` is what a drain waits for."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._idle = Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._sessions

    def get(self, call_id: str) -> Session | None:
        return self._sessions.get(call_id)

    def enter(self, session: Session) -> None:
        self._sessions[session.call_id] = session
        self._idle.clear()

    def leave(self, session: Session) -> None:
        """Take the session out, unless another one has taken its place already."""
        if self._sessions.get(session.call_id) is session:
            del self._sessions[session.call_id]
        if not self._sessions:
            self._idle.set()

    def wait_idle(self, timeout_s: float) -> bool:
        """True as soon as no call is left; False when the time is over."""
        return bool(self._idle.wait(timeout_s))
