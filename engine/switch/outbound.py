"""Outbound sessions: the switch connected and handed over one call.

`OutboundSession` keeps the shape of greenswitch's class (`connect`, `answer`, `call_command`, `linger`, `uuid`,
`session_data`, `register_handle`, …), so that an application written for greenswitch runs on it. Parsing, matching answers
to commands, writing and waiting are ours: docs/decisions/0004-event-socket.md lists the defects of the original.

How a session ends: the channel hung up (`end`), the connection broke, or the call left this socket for a bridge or another
extension (`lost`). In each case every wait is released, `on_over` is called once, and the socket is closed at once: a socket
that is closed later, when the call has come back to another one, would take the control of the channel away from that one.
"""

from __future__ import annotations

import contextlib
import logging
import uuid as uuids
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Queue
from gevent.socket import socket as Socket
from greenswitch import esl

from engine.switch import quoting
from engine.switch.connection import COMMAND_DEADLINE_S, Connection, Headers, OnReply
from engine.switch.frames import DISCONNECT_NOTICE, EVENT, Frame, HeaderView
from engine.switch.port import (
    ChannelEnd,
    ChannelGone,
    CommandRefused,
    DeadlinePassed,
    SwitchError,
    SwitchLost,
    UnsafeArgument,
)

log = logging.getLogger(__name__)

EVENTS = "CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF"
"""All that a session needs. Every further kind costs switch and engine for each call."""
RELEASE_S = 1.0
LINGER_S = 5
"""How long the switch keeps the socket after the hangup; long enough for the events that tell about it."""
WATCHDOG_VARIABLE = "variable_cw_watchdog"
"""Set by a dialplan that has scheduled a transfer for the case that no engine takes the call over; we take it back."""
REMOTE_ENDS = ("recv_bye", "recv_cancel", "recv_refuse")
"""Values of sip_hangup_disposition that say: the far side ended it."""
_MAX_HANDLER_QUEUE = 1000


class CallGone(ChannelGone, esl.OutboundSessionHasGoneAway):
    """The caller's channel hung up, under both our name and greenswitch's."""


class SessionLost(SwitchLost, esl.NotConnectedError):
    """The session ended without a hangup, under both our name and greenswitch's."""


class Sessions:
    """The sessions of this process by channel, so that other parts can see to it that their commands have arrived."""

    def __init__(self) -> None:
        self._live: dict[str, OutboundSession] = {}

    def add(self, session: OutboundSession) -> None:
        """Remember the session of a call; one of the same call that is still there is superseded."""
        before = self._live.get(session.uuid)
        self._live[session.uuid] = session
        if before is not None and before is not session:
            before.supersede()

    def remove(self, session: OutboundSession) -> None:
        if self._live.get(session.uuid) is session:
            del self._live[session.uuid]

    def settle(self, uuid: str, timeout_s: float) -> None:
        """Wait until the switch has answered all commands of that channel's session, where this process has it."""
        session = self._live.get(uuid)
        if session is not None:
            session.settle(timeout_s)

    def __len__(self) -> int:
        return len(self._live)


SESSIONS = Sessions()
"""The sessions of this process, shared by the server that accepts them and the control connections."""


class Execution:
    """One application that was started on the channel, known by an id of its own."""

    __slots__ = ("_done", "app", "refusal", "uuid")

    def __init__(self, app: str) -> None:
        self.uuid = str(uuids.uuid4())
        self.app = app
        self.refusal = ""
        """What the switch said when it did not even take the command."""
        self._done: AsyncResult = AsyncResult()

    @property
    def completed(self) -> bool:
        return self._done.ready()

    def complete(self, frame: Frame | None) -> None:
        """Its completion came, or None: the session is over."""
        self._done.set(frame)

    def wait(self, timeout_s: float | None) -> Frame | None:
        """Its completion; None when the session is over. Raises DeadlinePassed."""
        try:
            frame: Frame | None = self._done.get(timeout=timeout_s)
        except gevent.Timeout:
            raise DeadlinePassed(f"{self.app} did not complete within {timeout_s} s") from None
        return frame


def channel_end(frame: Frame) -> ChannelEnd:
    """What a CHANNEL_HANGUP_COMPLETE says."""
    return ChannelEnd(
        uuid=quoting.visible(frame.get("Unique-ID") or ""),
        cause=quoting.visible(frame.get("Hangup-Cause") or "NORMAL_UNSPECIFIED"),
        by_remote=frame.get("variable_sip_hangup_disposition") in REMOTE_ENDS,
        variables=HeaderView(frame, "variable_"),
    )


class OutboundSession(esl.OutboundSession):  # type: ignore[misc]
    """One call handed over by the switch. All waits raise ChannelGone, SwitchLost or DeadlinePassed."""

    def __init__(self, client_address: Any, sock: Socket, *, deadline_s: float = COMMAND_DEADLINE_S) -> None:
        # The base's constructor is left out on purpose: it starts the reader and the unbounded queue that are replaced.
        self.client_address = client_address
        self.sock = sock
        self.deadline_s = deadline_s
        self.session_data: Any = None
        self.connected_frame = Frame(b"\n", b"\n")
        self.event_handlers: dict[str, list[Callable[[Any], None]]] = {}
        self.end: ChannelEnd | None = None
        self.lost: SwitchLost | None = None
        self.over = Event()
        self.on_over: Callable[[], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        self.foreign_events = 0
        """Events of other channels that came nevertheless; not zero means that a filter leaks."""
        self._uuid = ""
        self._connected_at_us = 0
        self._lingering = False
        self._parked = False
        """Something of ours has run on the channel, so the switch has the call in its waiting loop."""
        self._superseded = False
        self._last_cause = ""
        self._executions: dict[str, Execution] = {}
        self._handler_queue: Queue | None = None
        self._handler_greenlet: gevent.Greenlet | None = None
        self._connection = Connection(sock, self._on_frame, self._on_connection_end, name=f"outbound {client_address}")

    # What greenswitch's application sees

    @property
    def uuid(self) -> str:
        return self._uuid

    @property
    def connected(self) -> bool:
        """The channel lives and this session holds it."""
        return not self.over.is_set()

    def connect(self) -> Any:
        """Take the call over. Returns the channel's headers. Doing it twice changes nothing."""
        if self.session_data is None:
            frame = self._connection.send("connect", deadline_s=self.deadline_s)
            self._uuid = quoting.uuid(frame.get("Unique-ID") or "")
            self._connected_at_us = _timestamp_us(frame)
            self.connected_frame = frame
            self.session_data = frame.headers
            self._connection.name = f"call {self._uuid}"
            # The filter stands before the subscription: in between, the events of all calls would come.
            self.post(f"linger {LINGER_S}")
            self.post(f"filter Unique-ID {self._uuid}", on_reply=self._must_succeed)
            self.post(f"event plain {EVENTS}", on_reply=self._must_succeed)
            if WATCHDOG_VARIABLE in frame:
                self.post(f"api sched_del {self._uuid}", on_reply=lambda _: None)
        return self.session_data

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

    def start(self, app: str, arg: str | None = None, *, lock: bool = True) -> Execution:
        """Have an application started behind those that run already (`lock`), without waiting for anything."""
        self.raise_if_over()
        execution = Execution(app)
        headers = [("call-command", "execute"), ("execute-app-name", quoting.argument(app))]
        if arg:
            headers.append(("execute-app-arg", quoting.argument(arg)))
        headers.append(("Event-UUID", execution.uuid))
        if lock:
            headers.append(("event-lock", "true"))
        self._executions[execution.uuid] = execution

        def started(reply: Frame | None) -> None:
            if reply is not None and reply.refused:
                execution.refusal = quoting.visible(reply.reply) or "-ERR"
                self._executions.pop(execution.uuid, None)
                execution.complete(None)

        try:
            self.post("sendmsg", headers, started)
        except BaseException:
            self._executions.pop(execution.uuid, None)
            raise
        return execution

    def wait(self, execution: Execution, timeout_s: float | None) -> Frame:
        """Wait for an application to complete. A completion that the hangup caused raises ChannelGone."""
        with contextlib.suppress(SwitchLost, DeadlinePassed):
            self._connection.flush()
        frame = execution.wait(timeout_s)
        if frame is not None and frame.get("Answer-State") == "hangup":
            self.over.wait(self.deadline_s)
        self.raise_if_over()
        if frame is None:
            raise CommandRefused(execution.app, execution.refusal)
        return frame

    def call_command(
        self, app_name: str, app_args: str | None = None, block: bool = False, response_timeout: float | None = None
    ) -> Frame:
        """Run an application; `block` waits for its completion and returns that, else the answer to the command."""
        if block:
            return self.wait(self.start(app_name, app_args), response_timeout)
        headers = [("call-command", "execute"), ("execute-app-name", quoting.argument(app_name))]
        if app_args:
            headers.append(("execute-app-arg", quoting.argument(app_args)))
        return self.send("sendmsg", [*headers, ("event-lock", "true")])

    def playback(self, path: str, block: bool = True) -> Frame | None:
        return self.call_command("playback", path, block=block)

    def play_and_get_digits(
        self,
        min_digits: int = 1,
        max_digits: int = 1,
        max_attempts: int = 1,
        timeout: int = 5000,
        terminators: str = "#",
        prompt_file: str = "silence_stream://10",
        error_file: str = "silence_stream://10",
        variable: str = "cw_digits",
        digits_regex: str = r"[0-9*#]+",
        digit_timeout: int | None = None,
        transfer_on_fail: str | None = None,
        block: bool = True,
        response_timeout: float | None = 600,
    ) -> str | None:
        """The keys that the caller pressed, None without any. What is not given is left out, never sent as `None`."""
        words = [
            min_digits,
            max_digits,
            max_attempts,
            timeout,
            terminators,
            prompt_file,
            error_file,
            variable,
            digits_regex,
        ]
        words += [word for word in (digit_timeout, transfer_on_fail) if word is not None]
        if any(" " in str(word) or not str(word) for word in words[:9]):
            raise UnsafeArgument("a blank within an argument of play_and_get_digits")
        frame = self.call_command("play_and_get_digits", " ".join(map(str, words)), block, response_timeout)
        return frame.get(f"variable_{variable}") if block else None

    def say(
        self,
        module_name: str = "en",
        lang: str | None = None,
        say_type: str = "NUMBER",
        say_method: str = "pronounced",
        gender: str = "FEMININE",
        text: str | None = None,
        block: bool = True,
        response_timeout: float | None = 600,
    ) -> Frame:
        if not text:
            raise UnsafeArgument("nothing to say")
        module = f"{module_name}:{lang}" if lang else module_name
        return self.call_command("say", f"{module} {say_type} {say_method} {gender} {text}", block, response_timeout)

    def uuid_break(self) -> Frame:
        return self.send(f"api uuid_break {self._uuid}")

    def register_handle(self, name: str, handler: Callable[[Any], None]) -> None:
        """Call `handler` with every event `name` (`*`: each one), in a greenlet of its own: it may send commands."""
        handlers = self.event_handlers.setdefault(name, [])
        if handler not in handlers:
            handlers.append(handler)
        if self._handler_greenlet is None:
            self._handler_queue = Queue(_MAX_HANDLER_QUEUE)
            self._handler_greenlet = gevent.spawn(self._run_handlers, self._handler_queue)

    def raise_if_disconnected(self) -> None:
        self.raise_if_over()

    def stop(self) -> None:
        """Let go of the socket; the dialplan goes on behind its `socket` action. Waits up to a second, rarely.

        A socket that closes before the channel is in the switch's waiting loop leaves it there for ever, in silence
        (measured). So unless something of ours has run there already, something has to, first.
        """
        if self._superseded or self.over.is_set():
            return
        if self.session_data is not None and not self._parked:
            with contextlib.suppress(SwitchError):
                self.wait(self.start("set", "cw_released=true"), RELEASE_S)
        self._connection.settle(RELEASE_S)
        if not self._superseded:
            self._connection.close()

    def supersede(self) -> None:
        """The call has come back on a newer socket, and this one did not notice that it had left.

        Waits end with SwitchLost, but the socket stays open until the switch closes it after the hangup: closing it now
        would take the channel away from the newer one (measured).
        """
        if not self.over.is_set():
            self._superseded = True
            self._finish(None, SessionLost("the call came back on a newer socket"))

    def abort(self, reason: str) -> None:
        """Close the socket at once, whatever was posted."""
        self._connection.close(reason)

    # How it ends

    def raise_if_over(self) -> None:
        if self.end is not None:
            raise CallGone(self.end)
        if self.lost is not None:
            raise self.lost

    def flush(self) -> None:
        """Write what was posted now."""
        self._connection.flush()

    def settle(self, timeout_s: float) -> bool:
        """Wait until every command that was posted is answered."""
        return self._connection.settle(timeout_s)

    def _finish(self, end: ChannelEnd | None, lost: SwitchLost | None) -> None:
        if self.over.is_set():
            return
        self.end, self.lost = end, lost
        self.over.set()
        for execution in list(self._executions.values()):
            execution.complete(None)
        self._executions.clear()
        if not self._superseded:
            self._connection.close(str(lost) if lost else "the channel hung up")
        if self._handler_queue is not None:
            gevent.spawn(self._handler_queue.put, None)
        if self.on_over is not None:
            self.on_over()

    def _must_succeed(self, reply: Frame | None) -> None:
        if reply is not None and reply.refused:
            # Without its events the session would wait for ever: better to give the call to another engine.
            self._finish(None, SessionLost(f"the switch refused the subscription: {quoting.visible(reply.reply)}"))

    def _on_connection_end(self, reason: SwitchLost) -> None:
        if self._lingering:
            cause = self._last_cause or "NORMAL_UNSPECIFIED"
            self._finish(ChannelEnd(self._uuid, cause, by_remote=False, variables={}), None)
        else:
            self._finish(None, SessionLost(str(reason)))

    # What comes in

    def _on_frame(self, frame: Frame) -> None:
        if frame.content_type == EVENT:
            self._on_event(frame)
        elif frame.content_type == DISCONNECT_NOTICE:
            if frame.get("Content-Disposition") == "linger":
                self._lingering = True
            else:
                self._connection.close("the switch said goodbye")
            self._hand_over("DISCONNECT", frame)

    def _on_event(self, frame: Frame) -> None:
        if self.over.is_set():
            return
        name = frame.name
        if frame.get("Unique-ID") != self._uuid:
            self.foreign_events += 1
        elif name == "CHANNEL_EXECUTE_COMPLETE":
            self._on_complete(frame)
        elif name == "DTMF":
            if self.on_key is not None:
                self.on_key(frame.get("DTMF-Digit") or "")
        elif name == "CHANNEL_HANGUP_COMPLETE":
            self._hand_over(name, frame)
            self._finish(channel_end(frame), None)
            return
        self._hand_over(name, frame)

    def _on_complete(self, frame: Frame) -> None:
        hung_up = frame.get("Answer-State") == "hangup"
        if hung_up:
            self._last_cause = frame.get("Hangup-Cause") or self._last_cause
        execution = self._executions.pop(frame.get("Application-UUID") or "", None)
        if execution is not None:
            self._parked = True
            execution.complete(frame)
        elif not hung_up and frame.get("Application") == "socket" and _timestamp_us(frame) >= self._connected_at_us:
            # Bridged or transferred: the call is on its way to another socket.
            self._finish(None, SessionLost("the call left this socket"))

    def _hand_over(self, name: str, frame: Frame) -> None:
        if self._handler_queue is not None:
            self._handler_queue.put((name, frame))  # waits when full, and so does the switch

    def _run_handlers(self, queue: Queue) -> None:
        while True:
            item = queue.get()
            if item is None:
                return
            name, frame = item
            for handler in [*self.event_handlers.get(name, ()), *self.event_handlers.get("*", ())]:
                self._safe_exec_handler(handler, frame)

    def _safe_exec_handler(self, handler: Callable[[Any], None], event: Any) -> None:
        try:
            handler(event)
        except Exception:  # noqa: BLE001 one handler's fault is not the others'
            log.exception("%s: a handler failed on %r", self._uuid, event)


def _timestamp_us(frame: Frame) -> int:
    """When the switch wrote the event, in µs; 0 where it does not say."""
    text = frame.get("Event-Date-Timestamp") or ""
    return int(text) if text.isascii() and text.isdigit() else 0
