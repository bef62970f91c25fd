"""Applications that run on a channel, how its end is read, and the errors under both our names and greenswitch's."""

from __future__ import annotations

import contextlib
import itertools
import uuid as uuids
from collections.abc import Callable

from greenswitch import esl

from engine.switch import quoting
from engine.switch.frames import Frame, HeaderView
from engine.switch.port import ChannelEnd, ChannelGone, DeadlinePassed, SwitchLost
from engine.switch.waiting import Once

REMOTE_ENDS = ("recv_bye", "recv_cancel", "recv_refuse")
"""Values of sip_hangup_disposition that say: the far side ended it."""
UNKNOWN_CAUSE = "NORMAL_UNSPECIFIED"
_BREAK_AGAIN_S = 0.06
"""An application starts at the next frame of 20 ms and forgets a break that came before: sent until it works."""
_BREAKS = 50
_PROCESS = str(uuids.uuid4())[:24]
"""The part of an execution's id that is this process's; the rest counts. Random ones cost a system call each."""
_NUMBERS = itertools.count(1)


class CallGone(ChannelGone, esl.OutboundSessionHasGoneAway):  # type: ignore[misc]
    """The caller's channel hung up."""


class SessionLost(SwitchLost, esl.NotConnectedError):  # type: ignore[misc]
    """The session ended without a hangup."""


class Execution:
    """One application that was started on the channel, known by an id of its own."""

    __slots__ = ("_done", "app", "refusal", "uuid")

    def __init__(self, app: str) -> None:
        self.uuid = f"{_PROCESS}{next(_NUMBERS):012x}"
        self.app = app
        self.refusal = ""
        """What the switch said when it did not even take the command."""
        self._done: Once[Frame] = Once()

    @property
    def completed(self) -> bool:
        return self._done.ready

    def complete(self, frame: Frame | None) -> None:
        """Its completion came, or None: it will never come."""
        self._done.set(frame)

    def wait(self, timeout_s: float | None) -> Frame | None:
        """Its completion; None when none will come. Raises DeadlinePassed."""
        if not self._done.wait(timeout_s):
            raise DeadlinePassed(f"{self.app} did not complete within {timeout_s:.1f} s")
        return self._done.value

    def stop(self, send_break: Callable[[], None]) -> None:
        """Have what runs broken until it completes. Raises DeadlinePassed when it does not, and what `send_break` does.

        No break is sent behind the completion, so none can meet what is started next over the same connection.
        """
        for _ in range(_BREAKS):
            send_break()
            with contextlib.suppress(DeadlinePassed):
                self.wait(_BREAK_AGAIN_S)
                return
        raise DeadlinePassed(f"{self.app} could not be stopped")


def execute_headers(execution: Execution, arg: str | None) -> list[tuple[str, str]]:
    """The headers of the `sendmsg` that starts it. Raises UnsafeArgument.

    `event-lock` makes it wait for those that run; without it, it would break into them (measured).
    """
    headers = [("call-command", "execute"), ("execute-app-name", quoting.argument(execution.app))]
    if arg:
        headers.append(("execute-app-arg", quoting.argument(arg)))
    return [*headers, ("Event-UUID", execution.uuid), ("event-lock", "true")]


def channel_end(frame: Frame) -> ChannelEnd:
    """What a CHANNEL_HANGUP_COMPLETE says."""
    return ChannelEnd(
        uuid=quoting.visible(frame.get("Unique-ID") or ""),
        cause=quoting.visible(frame.get("Hangup-Cause") or UNKNOWN_CAUSE),
        by_remote=frame.get("variable_sip_hangup_disposition") in REMOTE_ENDS,
        variables=HeaderView(frame, "variable_"),
    )
