"""The session of one call on its outbound socket: taking it over, starting applications, waiting, and every way it
ends.

A session ends when the channel hung up (`end`), or when the connection broke or the call left this socket for a
bridge or another extension (`lost`). Then every wait is released, `on_over` is called once, and the socket is closed
at once.

Two things about closing were measured on FreeSWITCH (docs/decisions/0004-event-socket.md):
- the end of a socket takes the control of the channel away from whichever socket has it. One that is closed late,
when the call has come back to another, throws it out there;
- a socket that ends before the channel has come to the switch's waiting loop leaves it there for ever, in silence.
"""

from __future__ import annotations

import _socket
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from gevent.socket import socket as Socket

from engine.switch import quoting
from engine.switch.connection import COMMAND_DEADLINE_S, Connection, Headers, OnReply
from engine.switch.execution import UNKNOWN_CAUSE, CallGone, Execution, SessionLost, channel_end, execute_headers
from engine.switch.frames import DISCONNECT_NOTICE, EVENT, Frame
from engine.switch.port import ChannelEnd, CommandRefused, SwitchError, SwitchLost
from engine.switch.waiting import Once

log = logging.getLogger(__name__)

EVENTS = "CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF"
"""All that a session needs. Every further kind costs switch and engine for each call."""
HANGUP_S = 3.0
"""How long the event that tells about a hangup may come after an application that the hangup ended."""
LINGER_S = 5
"""How long the switch keeps the socket after the hangup: long enough for the events that tell about it."""
RELEASE_S = 1.0
WATCHDOG_VARIABLE = "variable_cw_watchdog"
"""Set by a dialplan that has scheduled a transfer for the case that no engine takes the call over; we take it back."""


class CallSession:
    """One call handed over by the switch. Waits raise ChannelGone, SwitchLost, DeadlinePassed, CommandRefused."""

    def __init__(
        self, client_address: Any, sock: Socket | _socket.socket, *, deadline_s: float = COMMAND_DEADLINE_S
    ) -> None:
        self.client_address = client_address
        self.deadline_s = deadline_s
        self.connected_frame: Frame | None = None
        """What the switch answered to `connect`."""
        self.end: ChannelEnd | None = None
        self.lost: SwitchLost | None = None
        self.over: Once[None] = Once()
        self.on_over: Callable[[], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        self.on_event: Callable[[str, Frame], None] | None = None
        """Called with every event and its name, in the event loop: who can't take more says `hold`."""
        self.foreign_events = 0
        """Events of other channels that came nevertheless; not zero means that a filter leaks."""
        self._said: Frame | None = None
        """The answer to a `connect` that was said before this session began."""
        self._uuid = ""
        self._connected_as = 0
        """The number of the answer to `connect` in the switch's sequence of events."""
        self._lingering = False
        self._parked = False
        """Something of ours has run on the channel, so it is in the switch's waiting loop."""
        self._superseded = False
        self._dying: Frame | None = None
        """The last event that already said that the channel has hung up."""
        self._executions: dict[str, Execution] = {}
        self._connection = Connection(sock, self._on_frame, self._on_connection_end, name=f"outbound {client_address}")
        self.sock = self._connection.sock

    @property
    def uuid(self) -> str:
        return self._uuid

    @property
    def connected(self) -> bool:
        """The channel lives and this session holds it."""
        return not self.over.ready

    def when_answered(self, then: Callable[[bool], None]) -> None:
        """For a socket on which `connect` was said already: call `then` when it is answered, with False if it never is.

        In the event loop, maybe at once. No greenlet is needed until then.
        """

        def answered(frame: Frame | None) -> None:
            self._said = frame
            then(frame is not None)

        self._connection.take_first(answered)

    def take_over(self) -> Frame:
        """Say `connect`, unless it was said and answered already, and subscribe.

        Returns the answer with the channel's headers; a second time only that.
        """
        if self.connected_frame is None:
            frame = self._said or self._connection.send("connect", deadline_s=self.deadline_s)
            self._said = None
            self._uuid = quoting.uuid(frame.get("Unique-ID") or "")
            self._connected_as = _sequence(frame) or 0
            self.connected_frame = frame
            self._connection.name = f"call {self._uuid}"
            # The filter stands before the subscription: in between, the events of all calls would come.
            self.post(f"linger {LINGER_S}")
            self.post(f"filter Unique-ID {self._uuid}", on_reply=self._must_succeed)
            self.post(f"event plain {EVENTS}", on_reply=self._must_succeed)
            if WATCHDOG_VARIABLE in frame:
                self.post(f"api sched_del {self._uuid}", on_reply=lambda _: None)
        return self.connected_frame

    # Commands

    def send(self, data: str, headers: Headers = (), deadline_s: float | None = None) -> Frame:
        """Send a command and wait for its answer."""
        self.raise_if_over()
        try:
            return self._connection.send(data, headers, deadline_s or self.deadline_s)
        except SwitchLost:
            self.raise_if_over()
            raise

    def post(self, command: str, headers: Headers = (), on_reply: OnReply | None = None) -> None:
        """Have a command sent with the next one; its refusal is logged, or told to `on_reply`."""
        self.raise_if_over()
        self._connection.post(command, headers, on_reply)

    def flush(self) -> None:
        """Write what was posted now."""
        self._connection.flush()

    def settle(self, timeout_s: float) -> bool:
        """Wait until every command that was posted is answered."""
        return self._connection.settle(timeout_s)

    def hold(self) -> None:
        """Have the switch wait with what it tells."""
        self._connection.hold()

    def go_on(self) -> None:
        """Take what the switch has to tell again."""
        self._connection.go_on()

    def start(self, app: str, arg: str | None = None) -> Execution:
        """Have an application started behind those that run already, without waiting for anything."""
        self.raise_if_over()
        execution = Execution(app)
        headers = execute_headers(execution, arg)

        def taken(reply: Frame | None) -> None:
            if reply is not None and reply.refused:
                execution.refusal = quoting.visible(reply.reply)
                self._executions.pop(execution.uuid, None)
                execution.complete(None)

        self.post("sendmsg", headers, taken)
        self._executions[execution.uuid] = execution
        return execution

    def wait(self, execution: Execution, timeout_s: float | None) -> Frame:
        """Wait for an application to complete. A completion that the hangup caused raises ChannelGone."""
        with contextlib.suppress(SwitchError):
            self.flush()
        frame = execution.wait(timeout_s)
        if frame is not None and frame.get("Answer-State") == "hangup" and not self.over.wait(HANGUP_S):
            self._finish(channel_end(frame), None)
        self.raise_if_over()
        if frame is None:
            raise CommandRefused(execution.app, execution.refusal)
        return frame

    # How it ends

    def raise_if_over(self) -> None:
        if self.end is not None:
            raise CallGone(self.end)
        if self.lost is not None:
            raise self.lost

    def stop(self) -> None:
        """Let go of the socket; the dialplan goes on behind its `socket` action. Waits up to two seconds, rarely."""
        if self._superseded or self.over.ready:
            return
        if self.connected_frame is not None and not self._parked:
            with contextlib.suppress(SwitchError):
                self.wait(self.start("set", "cw_released=true"), RELEASE_S)
        self._connection.settle(RELEASE_S)
        if not self._superseded:
            self._connection.close()

    def abort(self, reason: str) -> None:
        """Close the socket at once, whatever was posted."""
        if not self._superseded:
            self._connection.close(reason)

    def supersede(self) -> None:
        """The call has come back on a newer socket, and this one did not notice that it had left.

        Waits end with SwitchLost, but the socket stays open until the switch closes it after the hangup.
        """
        if not self.over.ready:
            self._superseded = True
            self._finish(None, SessionLost("the call came back on a newer socket"))

    def _finish(self, end: ChannelEnd | None, lost: SwitchLost | None) -> None:
        if self.over.ready:
            return
        self.end, self.lost = end, lost
        self.over.set()
        for execution in list(self._executions.values()):
            execution.complete(None)
        self._executions.clear()
        if not self._superseded:
            self._connection.close(str(lost) if lost else "the channel hung up")
        if self.on_over is not None:
            self.on_over()

    def _must_succeed(self, reply: Frame | None) -> None:
        if reply is not None and reply.refused:
            # Without its events the session would wait for ever: better to give the call to another engine.
            self._finish(None, SessionLost(f"the switch refused the subscription: {quoting.visible(reply.reply)}"))

    def _on_connection_end(self, reason: SwitchLost) -> None:
        if self._dying is not None:
            self._finish(channel_end(self._dying), None)
        elif self._lingering:
            self._finish(ChannelEnd(self._uuid, UNKNOWN_CAUSE, by_remote=False, variables={}), None)
        else:
            self._finish(None, SessionLost(str(reason)))

    # What comes in

    def _on_frame(self, frame: Frame) -> None:
        if self.over.ready:
            return
        if frame.content_type == EVENT:
            self._on_event(frame)
        elif frame.content_type == DISCONNECT_NOTICE:
            self._tell("DISCONNECT", frame)
            if frame.get("Content-Disposition") == "linger":
                self._lingering = True
            else:
                self._connection.close("the switch said goodbye")

    def _on_event(self, frame: Frame) -> None:
        name = frame.name
        if frame.get("Unique-ID") != self._uuid:
            self.foreign_events += 1
        elif name == "CHANNEL_EXECUTE_COMPLETE":
            self._on_complete(frame)
        elif name == "DTMF":
            if self.on_key is not None:
                self.on_key(frame.get("DTMF-Digit") or "")
        elif name == "CHANNEL_HANGUP_COMPLETE":
            self._tell(name, frame)
            self._finish(channel_end(frame), None)
            return
        self._tell(name, frame)

    def _on_complete(self, frame: Frame) -> None:
        hung_up = frame.get("Answer-State") == "hangup"
        if hung_up:
            self._dying = frame
        execution = self._executions.pop(frame.get("Application-UUID") or "", None)
        if execution is not None:
            self._parked = True
            execution.complete(frame)
        elif not hung_up and frame.get("Application") == "socket" and self._is_news(frame):
            # Bridged or transferred: the call is on its way to another socket.
            self._finish(None, SessionLost("the call left this socket"))

    def _is_news(self, frame: Frame) -> bool:
        """False for the end of the `socket` action before ours, which may be told after our subscription (measured)."""
        number = _sequence(frame)
        return number is None or number > self._connected_as

    def _tell(self, name: str, frame: Frame) -> None:
        if self.on_event is not None:
            self.on_event(name, frame)


class Sessions:
    """The sessions of this process by channel, so that other parts can see to it that their commands have arrived."""

    def __init__(self) -> None:
        self._live: dict[str, CallSession] = {}

    def add(self, session: CallSession) -> None:
        """Remember the session of a call; one of the same call that is still there is superseded."""
        before = self._live.get(session.uuid)
        self._live[session.uuid] = session
        if before is not None and before is not session:
            before.supersede()

    def remove(self, session: CallSession) -> None:
        if self._live.get(session.uuid) is session:
            del self._live[session.uuid]

    def settle(self, uuid: str, timeout_s: float) -> None:
        """Wait until the switch has answered all commands of that channel's session, where this process has it."""
        session = self._live.get(uuid)
        if session is not None and session.connected:
            session.settle(timeout_s)

    def __len__(self) -> int:
        return len(self._live)


SESSIONS = Sessions()
"""The sessions of this process, shared by the server that accepts them and the control connections."""


def _sequence(frame: Frame) -> int | None:
    """The event's number in the switch; None where it does not say."""
    text = frame.get("Event-Sequence") or ""
    return int(text) if text.isascii() and text.isdigit() else None
