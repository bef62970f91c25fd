"""`Channel` of the switch port on top of an outbound session.

Keys are counted here, not in the switch: FreeSWITCH reports each key once, when whatever runs on the channel reads it
(a playback, or the waiting between applications), so no key is lost between two applications, and a collection costs
no application at all beyond its prompts. `play_and_get_digits` neither tells that its prompt is missing nor which key
ended it.

Sources are played one `playback` each. `file_string://a!b` would save a pause of 20 to 40 ms between them, but it
skips a file that is missing without a word and puts 250 ms of silence in front (mod_dptools).

Nothing is played without end, because an engine that dies leaves what plays: only when it ends does the switch hand the
call to the next engine. An endless tone is played in pieces of some ten seconds, again and again.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence

import gevent

from engine.switch import quoting
from engine.switch.execution import Execution
from engine.switch.frames import Frame, HeaderView
from engine.switch.keys import ALL_KEYS, Keys
from engine.switch.port import (
    ChannelEnd,
    ChannelGone,
    ChannelInfo,
    CommandRefused,
    DeadlinePassed,
    Digits,
    Interrupted,
    NotPlayed,
    Played,
    SwitchError,
    TimedOut,
)
from engine.switch.session import CallSession

log = logging.getLogger(__name__)

PIECE_MS = 10_000
"""How long a piece of an endless tone lasts."""
RECORD_S = 5.0
"""How long the channel may take to begin a recording."""
_PAUSES_MS = {"w": 500, "W": 1000}
_KEY_GAP_MS = 100
_TONE_TIMES = re.compile(r"%\((\d{1,6}),(\d{1,6})")


def channel_info(frame: Frame) -> ChannelInfo:
    """What the switch's answer to `connect` says of the channel. Control characters in a value become U+FFFD."""

    def text(*names: str) -> str:
        return next((quoting.visible(value) for name in names if (value := frame.get(name))), "")

    attempt = text("variable_cw_attempt")
    return ChannelInfo(
        uuid=text("Unique-ID"),
        switch=text("FreeSWITCH-Switchname"),
        did=text("variable_cw_did", "Caller-Destination-Number"),
        ani=text("Caller-Caller-ID-Number"),
        caller_name=text("Caller-Caller-ID-Name"),
        privacy="true" in (text("Caller-Privacy-Hide-Number"), text("Caller-Privacy-Hide-Name")),
        profile=text("variable_sofia_profile_name"),
        sip_call_id=text("variable_sip_call_id"),
        answered=text("Answer-State") == "answered",
        attempt=int(attempt) if re.fullmatch(r"[1-9][0-9]{0,3}", attempt) else 1,
        last_bridge_to=text("variable_last_bridge_to"),
        last_bridge_cause=text("variable_last_bridge_hangup_cause"),
        variables=HeaderView(frame, "variable_"),
    )


class SwitchChannel:
    """The caller's channel while this engine holds its socket; see `engine.switch.port.Channel`."""

    def __init__(self, session: CallSession) -> None:
        self.info = channel_info(session.take_over())
        self._session = session
        self._uuid = session.uuid
        self._answered = self.info.answered
        self._terminators: str | None = None
        self._playing: Execution | None = None
        self._stops = 0
        self._background: gevent.Greenlet | None = None
        self._keys = Keys()
        self._callbacks: list[Callable[[ChannelEnd | None], None]] = []
        session.on_key = self._keys.press
        session.on_over = self._on_over

    # Its end

    @property
    def end(self) -> ChannelEnd | None:
        return self._session.end

    def on_end(self, callback: Callable[[ChannelEnd | None], None]) -> Callable[[], None]:
        """Call back once at the end, in the event loop: the callback must not wait for anything."""
        if self._session.over.ready:
            callback(self._session.end)
            return lambda: None
        self._callbacks.append(callback)

        def take_back() -> None:
            with contextlib.suppress(ValueError):
                self._callbacks.remove(callback)

        return take_back

    def wait_end(self, timeout_s: float | None) -> ChannelEnd | None:
        self._flush()
        self._session.over.wait(timeout_s)
        if self._session.end is None and self._session.lost is not None:
            raise self._session.lost
        return self._session.end

    def hangup(self, cause: str, deadline_s: float = 10) -> ChannelEnd:
        checked = quoting.cause(cause)
        try:
            # Not the application `hangup`: that would wait behind whatever is playing.
            self._session.send(f"api uuid_kill {self._uuid} {checked}", deadline_s=deadline_s)
        except ChannelGone as gone:
            return gone.end
        end = self.wait_end(deadline_s)
        if end is None:
            raise DeadlinePassed(f"no hangup within {deadline_s} s")
        return end

    def close(self) -> None:
        if self._background is not None:
            self._background.kill(block=False)
        self._session.stop()

    # Answering, variables

    def answer(self) -> None:
        if not self._answered:
            self._order("uuid_answer")
            self._answered = True

    def pre_answer(self) -> None:
        if not self._answered:
            self._order("uuid_pre_answer")

    def ring(self) -> None:
        if not self._answered:
            self._order("uuid_ring_ready")

    def set_variables(self, variables: Mapping[str, str]) -> None:
        items = list(variables.items())
        for first in range(0, len(items), quoting.MAX_VARIABLES):
            part = dict(items[first : first + quoting.MAX_VARIABLES])
            self._session.post(f"api uuid_setvar_multi {self._uuid} {quoting.assignments(part)}")

    # Playing

    def play(
        self, sources: Sequence[str], stop_keys: str = "", deadline_s: float = 600
    ) -> Played | Interrupted | NotPlayed:
        checked = [quoting.media(source) for source in sources]
        quoting.keys(stop_keys)
        self.stop_playing()
        until = time.monotonic() + deadline_s
        stops = self._stops
        for source in checked:
            failed = self._play_one(source, stop_keys, until, stops)
            key = self._keys.among(stop_keys)
            if key:
                return Interrupted(self._keys.take(key))
            if failed is not None:
                return failed
            if self._stops != stops:
                break
        return Played()

    def start_playing(self, sources: Sequence[str]) -> None:
        checked = [quoting.media(source) for source in sources]
        self.stop_playing()
        self._session.raise_if_over()
        if checked:
            self._background = gevent.spawn(self._play_on, checked, self._stops)

    def stop_playing(self) -> None:
        """Stop what plays, in the background or in another greenlet's `play`, which then returns `Played`."""
        self._session.raise_if_over()
        self._stops += 1
        playing = self._playing
        if playing is not None and not playing.completed:
            self._silence(playing)
        self._background = None

    def collect(
        self,
        sources: Sequence[str],
        *,
        max_digits: int,
        timeout_ms: int,
        interdigit_timeout_ms: int,
        terminators: str = "",
        deadline_s: float = 600,
    ) -> Digits | TimedOut | NotPlayed:
        checked = [quoting.media(source) for source in sources]
        quoting.keys(terminators)
        self.stop_playing()
        until = time.monotonic() + deadline_s
        stops = self._stops
        for source in checked:
            if self._keys or self._stops != stops:
                break
            failed = self._play_one(source, ALL_KEYS, until, stops)
            if failed is not None:
                return failed
        return self._gather(max_digits, timeout_ms / 1000, interdigit_timeout_ms / 1000, terminators, until)

    def forget_keys(self) -> None:
        self._keys.forget()

    def send_keys(self, keys: str, key_ms: int = 100, deadline_s: float = 90) -> None:
        argument = quoting.sent_keys(keys, key_ms)
        self.stop_playing()
        began = time.monotonic()
        self._session.wait(self._session.start("send_dtmf", argument), deadline_s)
        # FreeSWITCH puts them in line and goes on at once; what follows must not overtake them.
        needed_ms = sum(_PAUSES_MS.get(key, key_ms + _KEY_GAP_MS) for key in keys)
        self._session.over.wait(max(0.0, began + needed_ms / 1000 - time.monotonic()))
        self._session.raise_if_over()

    # Recording

    def start_recording(self, path: str, *, masked: bool = False) -> None:
        checked = quoting.recording(path)
        self.set_variables({"RECORD_STEREO": "true"})
        # In the channel's own thread: an API's `start` that meets the hangup leaves FreeSWITCH a channel that never
        # goes (measured; signalwire/freeswitch#1673). The application does not say whether it could; only a recording
        # that runs can be masked or unmasked.
        self._session.wait(self._session.start("record_session", checked), RECORD_S)
        self._record("mask" if masked else "unmask", checked)

    def stop_recording(self, path: str) -> None:
        self._record("stop", quoting.recording(path))

    def mask_recording(self, path: str) -> None:
        self._record("mask", quoting.recording(path))

    def unmask_recording(self, path: str) -> None:
        self._record("unmask", quoting.recording(path))

    def _record(self, action: str, path: str) -> None:
        # The API acts at once, also in a conversation, where the channel runs no application.
        command = f"api uuid_record {self._uuid} {action} {path}"
        reply = self._session.send(command)
        if not reply.reply.startswith("+OK"):
            raise CommandRefused(command, quoting.visible(reply.reply))

    # How it plays

    def _play_one(self, source: str, stop_keys: str, until: float, stops: int) -> NotPlayed | None:
        """Play one source until its end, a key, `stop_playing` or the deadline. Returns why it could not be played."""
        piece, endless = _piece(source)
        while self._stops == stops and not self._keys.among(stop_keys):
            response = self._playback(piece, stop_keys, until).get("Application-Response") or ""
            if response == "PLAYBACK ERROR":
                # A bridge looks the same at first; then the call leaves this socket in the same moment.
                self._session.over.wait(0.2)
                self._session.raise_if_over()
            if response in ("FILE NOT FOUND", "PLAYBACK ERROR"):
                return NotPlayed(f"{source}: {response}")
            if not endless:
                break
        return None

    def _playback(self, source: str, stop_keys: str, until: float) -> Frame:
        if self._terminators != stop_keys:
            self.set_variables({"playback_terminators": stop_keys or "none"})
            self._terminators = stop_keys
        execution = self._playing = self._session.start("playback", source)
        left_s = None if until == math.inf else max(until - time.monotonic(), 0.0)
        try:
            return self._session.wait(execution, left_s)
        except BaseException:
            # The deadline, or the greenlet was stopped from outside: what plays must not go on.
            if not execution.completed and not self._session.over.ready:
                gevent.spawn(self._silence_quietly, execution)
            raise

    def _play_on(self, sources: list[str], stops: int) -> None:
        with contextlib.suppress(SwitchError):
            while self._stops == stops:
                began = time.monotonic()
                failed = [self._play_one(source, "", math.inf, stops) for source in sources]
                for fault in filter(None, failed):
                    log.warning("%s: not played: %s", self._uuid, fault.reason)
                if all(failed) or time.monotonic() - began < 0.1:
                    return

    def _silence(self, execution: Execution) -> None:
        execution.stop(self._break)
        self._session.raise_if_over()

    def _break(self) -> None:
        self._session.post(f"api uuid_break {self._uuid}", on_reply=lambda _: None)
        self._flush()

    def _silence_quietly(self, execution: Execution) -> None:
        with contextlib.suppress(SwitchError):
            self._silence(execution)

    # Keys

    def on_key(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._keys.listen(callback)

    def _gather(
        self, max_digits: int, timeout_s: float, interdigit_s: float, terminators: str, until: float
    ) -> Digits | TimedOut:
        began = time.monotonic()
        digits = ""
        while True:
            while self._keys:
                key = self._keys.take()
                if key in terminators:
                    return Digits(digits, key)
                digits += key
                if len(digits) >= max_digits:
                    return Digits(digits)
            limit = max(began, self._keys.last_at) + interdigit_s if digits else began + timeout_s
            now = time.monotonic()
            if now >= limit:
                return Digits(digits) if digits else TimedOut()
            if now >= until:
                raise DeadlinePassed("the collection's deadline")
            self._keys.wait(min(limit, until) - now)
            self._session.raise_if_over()

    # Odds and ends

    def _order(self, api: str) -> None:
        # Not the application of that name: it begins with the channel's next frame of 20 ms, and whatever is sent
        # behind it to act at once, a recording's start for example, would overtake it. APIs are done in their order.
        self._session.post(f"api {api} {self._uuid}")

    def _flush(self) -> None:
        with contextlib.suppress(SwitchError):
            self._session.flush()

    def _on_over(self) -> None:
        self._keys.wake()
        if self._background is not None and self._background is not gevent.getcurrent():
            self._background.kill(block=False)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback(self._session.end)
            except Exception:
                log.exception("%s: a callback failed", self._uuid)


def _piece(source: str) -> tuple[str, bool]:
    """What to play at one go, and whether it is to be repeated until stopped."""
    if source.startswith("tone_stream://") and "loops=-1" in source:
        cycle_ms = sum(int(on) + int(off) for on, off in _TONE_TIMES.findall(source)) or PIECE_MS
        return source.replace("loops=-1", f"loops={max(1, PIECE_MS // cycle_ms)}"), True
    return source, False
