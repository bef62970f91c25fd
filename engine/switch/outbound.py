"""Outbound sessions in the shape of greenswitch's, so that an application written for greenswitch runs on ours.

Parsing, matching answers to commands, writing, waiting and accepting are ours (`engine.switch.session`); greenswitch's
class gives the API: `connect`, `answer`, `call_command`, `linger`, `uuid`, `session_data`, `register_handle`, and so
on. docs/decisions/0004-event-socket.md lists the defects of the original and what is kept.
"""

from __future__ import annotations

import _socket
import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.queue import Queue
from gevent.socket import socket as Socket
from greenswitch import esl

from engine.switch.connection import COMMAND_DEADLINE_S
from engine.switch.execution import Execution, execute_headers
from engine.switch.frames import Frame
from engine.switch.port import UnsafeArgument
from engine.switch.session import CallSession

log = logging.getLogger(__name__)

_MAX_HANDLER_QUEUE = 1000
"""So many events wait for their handlers; then the switch waits, until half of them are handled."""


class OutboundSession(CallSession, esl.OutboundSession):  # type: ignore[misc]
    """One call handed over by the switch, with greenswitch's methods."""

    def __init__(
        self, client_address: Any, sock: Socket | _socket.socket, *, deadline_s: float = COMMAND_DEADLINE_S
    ) -> None:
        # greenswitch's constructor is left out on purpose: it starts the reader and the unbounded queue replaced here.
        self.session_data: Any = None
        self.event_handlers: dict[str, list[Callable[[Any], None]]] = {}
        self._handler_queue: Queue | None = None
        self._handler_greenlet: gevent.Greenlet | None = None
        super().__init__(client_address, sock, deadline_s=deadline_s)

    def connect(self) -> Any:
        """Take the call over. Returns the channel's headers."""
        self.session_data = self.take_over().headers
        return self.session_data

    def call_command(
        self, app_name: str, app_args: str | None = None, block: bool = False, response_timeout: float | None = None
    ) -> Frame:
        """Run an application; `block` waits for its completion and returns that, else for the answer to the command."""
        if block:
            return self.wait(self.start(app_name, app_args), response_timeout)
        return self.send("sendmsg", execute_headers(Execution(app_name), app_args))

    def playback(self, path: str, block: bool = True) -> Frame:
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
        words = [str(word) for word in (min_digits, max_digits, max_attempts, timeout, terminators)]
        words += [prompt_file, error_file, variable, digits_regex]
        words += [str(word) for word in (digit_timeout, transfer_on_fail) if word is not None]
        if any(" " in word or not word for word in words[:9]):
            raise UnsafeArgument("a blank within an argument of play_and_get_digits")
        frame = self.call_command("play_and_get_digits", " ".join(words), block, response_timeout)
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
        return self.send(f"api uuid_break {self.uuid}")

    def raise_if_disconnected(self) -> None:
        self.raise_if_over()

    def register_handle(self, name: str, handler: Callable[[Any], None]) -> None:
        """Call `handler` with every event `name` (`*`: each one), in a greenlet of its own: it may send commands."""
        handlers = self.event_handlers.setdefault(name, [])
        if handler not in handlers:
            handlers.append(handler)
        if self._handler_queue is None:
            self._handler_queue = Queue()
            self._handler_greenlet = gevent.spawn(self._run_handlers, self._handler_queue)
            self.on_event = self._queue_event

    def _queue_event(self, name: str, frame: Frame) -> None:
        assert self._handler_queue is not None
        self._handler_queue.put((name, frame))
        if self._handler_queue.qsize() >= _MAX_HANDLER_QUEUE:
            self.hold()

    def _finish(self, *how: Any) -> None:
        was_over = self.over.ready
        super()._finish(*how)
        if self._handler_queue is not None and not was_over:
            self._handler_queue.put(None)

    def _run_handlers(self, queue: Queue) -> None:
        while (item := queue.get()) is not None:
            if queue.qsize() <= _MAX_HANDLER_QUEUE // 2:
                self.go_on()
            name, frame = item
            for handler in [*self.event_handlers.get(name, ()), *self.event_handlers.get("*", ())]:
                self._safe_exec_handler(handler, frame)

    def _safe_exec_handler(self, handler: Callable[[Any], None], event: Any) -> None:
        try:
            handler(event)
        except Exception:
            log.exception("%s: a handler failed on %r", self.uuid, event)
