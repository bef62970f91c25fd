"""The control connection of one switch: originate, bridge, kill, and the hangups of all managed channels.

It reconnects by itself, with growing pauses and jitter, so that a restarted switch is not met by all engines at once.
Subscribed are the hangups of channels with `cw_managed=true`, our own background jobs and the registrations of
telephones: a filter lets an event through when any of the filters matches it, and one whose value is a pattern picks
our jobs by the prefix of their ids.
"""

from __future__ import annotations

import json
import logging
import random
import uuid as uuids
from collections.abc import Callable, Mapping, Sequence

import gevent
from gevent.event import Event
from gevent.queue import Queue

from engine.switch import quoting, registrations
from engine.switch.control_line import ControlAddress, ControlLine
from engine.switch.execution import channel_end
from engine.switch.frames import Frame
from engine.switch.originate import Ringing, outcome_of
from engine.switch.parked import ParkedLeg
from engine.switch.port import (
    NO_HEADERS,
    ChannelEnd,
    CommandRefused,
    DialTarget,
    SwitchError,
    SwitchLost,
)
from engine.switch.session import SESSIONS, Sessions

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 5.0
RETRY_FIRST_S = 0.2
RETRY_MOST_S = 10.0
PARK_TIMEOUT_S = 30
_AUTO_ANSWER = {"sip_auto_answer": "true", "sip_h_Answer-Mode": "Auto"}
"""What telephones understand: FreeSWITCH makes of the first `Call-Info: <…>;answer-after=0`, `;intercom=true` in the
request's address and, while it rings, NOTIFY `Event: talk`; the second is RFC 5373."""
_MAX_DISPATCH = 10_000
"""So many callbacks wait for their turn; then the switch waits, until half of them have run."""
_SETTLE_S = 2.0


class SwitchControl:
    """See `engine.switch.port.Control`. `start` connects in the background; `close` ends it for good."""

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        keep_alive_s: float = KEEP_ALIVE_S,
        deadline_s: float = 5.0,
        retry_first_s: float = RETRY_FIRST_S,
        chance: random.Random | None = None,
        sessions: Sessions = SESSIONS,
    ) -> None:
        self.address = ControlAddress(host, port, quoting.line(password))
        self.fault: str = "not connected yet"
        """Why there is no connection; empty while there is one."""
        self._keep_alive_s = keep_alive_s
        self._deadline_s = deadline_s
        self._retry_first_s = retry_first_s
        self._chance = chance or random.Random()
        self._sessions = sessions
        self._prefix = f"cw-{uuids.uuid4().hex[:12]}-"
        self._line: ControlLine | None = None
        self._broken = Event()
        self._closed = Event()
        self._jobs: dict[str, Ringing] = {}
        self._abandoned: set[str] = set()
        """Legs that rang when the connection broke: hung up as soon as there is one again."""
        self._end_callbacks: list[Callable[[ChannelEnd], None]] = []
        self._registration_callbacks: list[Callable[[str, bool], None]] = []
        self._connected_callbacks: list[Callable[[], None]] = []
        self._dispatch: Queue = Queue()
        self._greenlets: list[gevent.Greenlet] = []

    # Its life

    @property
    def connected(self) -> bool:
        return self._line is not None and self._line.ended is None

    def start(self) -> None:
        if not self._greenlets:
            self._greenlets = [gevent.spawn(self._run), gevent.spawn(self._call_back)]

    def close(self) -> None:
        self._closed.set()
        self._broken.set()
        if self._line is not None:
            self._line.close()
        gevent.killall(self._greenlets, timeout=1)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until there is a connection; False when the time is over. For the start and for tests."""
        with gevent.Timeout(timeout_s, False):
            ready = Event()
            self._connected_callbacks.append(ready.set)
            try:
                if not self.connected:
                    ready.wait()
            finally:
                self._connected_callbacks.remove(ready.set)
        return self.connected

    def on_channel_end(self, callback: Callable[[ChannelEnd], None]) -> None:
        """Callbacks run one after the other in one greenlet; a slow one holds up the others, and at last the switch."""
        self._end_callbacks.append(callback)

    def on_connected(self, callback: Callable[[], None]) -> None:
        self._connected_callbacks.append(callback)

    # What the port asks

    def originate(
        self,
        target: DialTarget,
        *,
        leg: str,
        ring_timeout_s: int,
        caller_id_number: str,
        caller_id_name: str,
        variables: Mapping[str, str],
        auto_answer: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Ringing:
        own = {
            "origination_uuid": quoting.uuid(leg),
            "originate_timeout": str(max(1, int(ring_timeout_s))),
            "ignore_early_media": "true",
            "origination_caller_id_name": quoting.display_name(caller_id_name),
            "origination_caller_id_number": quoting.caller_number(caller_id_number),
            "cw_managed": "true",
            "park_timeout": str(PARK_TIMEOUT_S),
            "hangup_after_bridge": "true",
            "playback_terminators": "none",
        }
        own |= _AUTO_ANSWER if auto_answer else {}
        own |= {f"sip_h_{quoting.header_name(name)}": quoting.header_value(text) for name, text in headers.items()}
        merged = {name: value for name, value in {**own, **variables}.items() if value != ""}
        command = f"bgapi originate {quoting.leg_variables(merged)}{quoting.dial_string(target)} &park()"
        job = self._prefix + str(uuids.uuid4())
        ringing = Ringing(leg, self._kill)
        self._jobs[job] = ringing
        try:
            self._checked(command, [("Job-UUID", job)])
        except BaseException:
            self._jobs.pop(job, None)
            raise
        return ringing

    def registered(self) -> frozenset[str]:
        command = registrations.list_all()
        return frozenset(user for user, _ in registrations.listed(command, self._send(command)))

    def on_registration(self, callback: Callable[[str, bool], None]) -> None:
        """Called as those of `on_channel_end` are."""
        self._registration_callbacks.append(callback)

    def play_to(self, uuid: str, sources: Sequence[str], deadline_s: float = 60) -> bool:
        checked = [quoting.media(source) for source in sources]
        with ParkedLeg(self.address, quoting.uuid(uuid), self._deadline_s) as leg:
            return leg.play(checked, deadline_s)

    def ask(self, uuid: str, sources: Sequence[str], keys: str, timeout_ms: int, deadline_s: float = 60) -> str | None:
        checked = [quoting.media(source) for source in sources]
        quoting.keys(keys)
        with ParkedLeg(self.address, quoting.uuid(uuid), self._deadline_s) as leg:
            return leg.ask(checked, keys, timeout_ms / 1000, deadline_s)

    def bridge(self, a: str, b: str) -> None:
        for uuid in (quoting.uuid(a), quoting.uuid(b)):
            # What was posted on the channel's own socket, its way back for example, must have arrived before.
            self._sessions.settle(uuid, _SETTLE_S)
        self._checked(f"api uuid_bridge {a} {b}")

    def kill(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        self._kill(uuid, cause)

    def exists(self, uuid: str) -> bool:
        return self._send(f"api uuid_exists {quoting.uuid(uuid)}").reply == "true"

    def fetch(self, uuid: str, to: str) -> bool:
        # `uuid_break` would be gentler, but it does not free a channel that waits for an engine that is gone.
        if self._send(f"api uuid_getvar {quoting.uuid(uuid)} signal_bond").reply != "_undef_":
            return False
        return self._send(f"api uuid_transfer {uuid} {quoting.line(to.replace(':', ' '))}").reply.startswith("+OK")

    def channels(self) -> Sequence[str]:
        command = "api show channels as json"
        reply = self._send(command)
        try:
            rows = json.loads(reply.body).get("rows", [])
            return [str(row["uuid"]) for row in rows]
        except (ValueError, AttributeError, KeyError, TypeError):
            raise CommandRefused(command, quoting.visible(reply.reply[:200])) from None

    # Beyond the port

    def record(self, uuid: str, action: str, path: str) -> None:
        """`start`, `stop`, `mask`, `unmask` a recording of any channel, during a conversation for example."""
        if action not in ("start", "stop", "mask", "unmask"):
            raise ValueError(action)
        self._checked(f"api uuid_record {quoting.uuid(uuid)} {action} {quoting.recording(path)}")

    def set_variables(self, uuid: str, variables: Mapping[str, str]) -> None:
        """Set variables of any channel."""
        self._checked(f"api uuid_setvar_multi {quoting.uuid(uuid)} {quoting.assignments(variables)}")

    # Commands

    def _send(self, command: str, headers: Sequence[tuple[str, str]] = ()) -> Frame:
        line = self._line
        if line is None or line.ended is not None:
            raise SwitchLost(f"no connection to the switch at {self.address}: {self.fault}")
        return line.send(command, headers)

    def _checked(self, command: str, headers: Sequence[tuple[str, str]] = ()) -> Frame:
        reply = self._send(command, headers)
        if not reply.reply.startswith("+OK"):
            raise CommandRefused(quoting.visible(command[:200]), quoting.visible(reply.reply[:200]))
        return reply

    def _kill(self, uuid: str, cause: str) -> bool:
        """Hang up; False where there is no such channel."""
        command = f"api uuid_kill {quoting.uuid(uuid)} {quoting.cause(cause)}"
        reply = self._send(command).reply
        if reply.startswith("+OK"):
            return True
        if "No such channel" in reply:
            return False
        raise CommandRefused(command, quoting.visible(reply[:200]))

    # The connection

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            try:
                self._connect()
                failures = 0
                self._keep_alive()
            except SwitchError as fault:
                failures += 1
                if str(fault) != self.fault:
                    log.warning("%s", fault)
                self.fault = str(fault)
            self._drop()
            most_s = min(RETRY_MOST_S, self._retry_first_s * 2 ** min(failures, 10))
            self._closed.wait(most_s * self._chance.uniform(0.5, 1.0))

    def _connect(self) -> None:
        self._broken.clear()
        line = ControlLine(self.address, self._on_event, lambda reason: self._broken.set(), self._deadline_s)
        try:
            line.subscribe(
                ["variable_cw_managed true", f"Job-UUID /^{self._prefix}/", registrations.FILTER],
                f"BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE {registrations.EVENTS}",
            )
            self._line = line
            for leg in list(self._abandoned):
                self._kill(leg, "ORIGINATOR_CANCEL")
                self._abandoned.discard(leg)
        except BaseException:
            line.close()
            raise
        self.fault = ""
        for callback in list(self._connected_callbacks):
            self._dispatch.put((callback, ()))

    def _keep_alive(self) -> None:
        """Returns never; raises SwitchLost or DeadlinePassed when the connection is gone or nobody answers on it."""
        while True:
            if self._broken.wait(self._keep_alive_s):
                line = self._line
                raise (line.ended if line is not None else None) or SwitchLost("the connection ended")
            self._send("api uuid_exists 0")

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        line.close("the control connection is opened anew")
        reason = SwitchLost(f"the connection to the switch at {self.address} broke")
        jobs, self._jobs = self._jobs, {}
        for ringing in jobs.values():
            self._abandoned.add(ringing.leg)
            ringing.lose(reason)

    def _on_event(self, frame: Frame) -> None:
        if frame.name == "BACKGROUND_JOB":
            ringing = self._jobs.pop(frame.get("Job-UUID") or "", None)
            if ringing is not None:
                ringing.finish(outcome_of(frame.body))
        elif frame.name == "CHANNEL_HANGUP_COMPLETE" and frame.get("variable_cw_managed") == "true":
            end = channel_end(frame)
            for callback in self._end_callbacks:
                self._to_call_back(callback, end)
        elif frame.name == "CUSTOM":
            change = registrations.change_of(frame)
            if change is not None and self._registration_callbacks:
                self._to_call_back(self._tell_registration, change)

    def _to_call_back(self, callback: Callable[..., None], argument: object) -> None:
        self._dispatch.put((callback, (argument,)))
        if self._line is not None and self._dispatch.qsize() >= _MAX_DISPATCH:
            self._line.hold()

    def _tell_registration(self, change: registrations.Change) -> None:
        if not change.registered and self._another_left(change):
            return
        for callback in self._registration_callbacks:
            try:
                callback(change.user, change.registered)
            except Exception:
                log.exception("control %s: a callback failed", self.address)

    def _another_left(self, change: registrations.Change) -> bool:
        """Whether the user is still registered, or it will be told with the next connection."""
        command = registrations.list_of(change)
        try:
            return registrations.another_left(change, registrations.listed(command, self._send(command)))
        except SwitchLost:
            return True
        except SwitchError as fault:
            log.warning("control %s: %s: taken for unregistered: %s", self.address, change.user, fault)
            return False

    def _call_back(self) -> None:
        while True:
            callback, arguments = self._dispatch.get()
            if self._line is not None and self._dispatch.qsize() <= _MAX_DISPATCH // 2:
                self._line.go_on()
            try:
                callback(*arguments)
            except Exception:
                log.exception("control %s: a callback failed", self.address)
