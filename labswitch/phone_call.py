"""One call of a lab phone: wait for what happens on it, press keys, say and hear tones, hold, hang up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from labswitch.phone_line import Key, Line, PhoneEnd
from labswitch.phone_media import RATE_HZ, Samples, is_tone, loudness, tone_amplitude
from labswitch.sip_headers import Headers
from labswitch.sip_thread import SipThread

WINDOW_S = 0.2
"""How long a tone must last to be found."""
STEP_S = 0.05
"""How finely a tone is looked for."""
TONE_LEVEL = 0.05
LOUD = 0.01
ACTION_S = 5.0
"""What a key or a re-INVITE may take beyond its own length."""

T = TypeVar("T")


class PhoneTimeout(TimeoutError):
    """What was waited for didn't happen in time."""


class CallOver(Exception):
    """The call ended before what was waited for could happen."""

    def __init__(self, what: str, end: PhoneEnd) -> None:
        super().__init__(f"{what}: the call ended, {end}")
        self.end = end


class PhoneCall:
    """A call from or to a `Phone`. Its methods may be called from any thread but the SIP thread.

    Methods that wait raise `PhoneTimeout` at their deadline and `CallOver` when the call ends first.
    """

    def __init__(
        self, line: Line, number: str, caller_number: str, caller_name: str, invite: Headers | None = None
    ) -> None:
        """Made by `Phone`."""
        self.number = number
        """Who is called."""
        self.invite = invite
        """What the INVITE said, of a call that came in."""
        self.caller_number = caller_number
        self.caller_name = caller_name
        self._line = line
        self._thread = SipThread.get()
        self._cursor = 0

    # -- what is known

    @property
    def ringing(self) -> bool:
        """Whether 180 came."""
        return self._line.rings

    @property
    def answered(self) -> bool:
        """Whether the call is up, or was."""
        return self._line.up

    @property
    def end(self) -> PhoneEnd | None:
        """How it ended, None while it lasts."""
        return self._line.end

    @property
    def keys(self) -> list[Key]:
        """Every key that the other side pressed so far."""
        return list(self._line.keys)

    def heard(self) -> Samples:
        """All audio so far, 8 kHz, silence where none came; it begins when media was agreed on."""
        return np.frombuffer(bytes(self._line.heard), np.int16)

    def heard_s(self) -> float:
        """The length of `heard()` in seconds."""
        return len(self._line.heard) / 2 / RATE_HZ

    def tone_level(self, hz: float, since_s: float = 0.0, window_s: float | None = None) -> float:
        """The amplitude (0 to 1) of a sine of `hz` in what was heard from `since_s` on, for `window_s` or to the
        end."""
        begin = max(0, int(since_s * RATE_HZ))
        end = None if window_s is None else begin + int(window_s * RATE_HZ)
        return tone_amplitude(self.heard()[begin:end], hz)

    # -- waiting

    def wait_ringing(self, timeout_s: float) -> None:
        """Until the other side rings, or has answered already."""
        self._wait("ringing", timeout_s, lambda: self._line.rings or self._line.up)

    def wait_early_media(self, timeout_s: float) -> None:
        """Until audio flows, be it before the answer (183)."""
        self._wait("early media", timeout_s, lambda: self._line.early_media or self._line.up)

    def wait_answered(self, timeout_s: float) -> None:
        """Until the call is up."""
        self._wait("answer", timeout_s, lambda: self._line.up)

    def wait_ended(self, timeout_s: float) -> PhoneEnd:
        """Until the call is over; never raises `CallOver`."""
        return self._wait("end", timeout_s, lambda: self._line.end)

    def wait_keys(self, count: int, timeout_s: float) -> str:
        """Until the other side pressed `count` keys in all; returns all its digits so far."""
        self._wait(f"{count} keys", timeout_s, lambda: len(self._line.keys) >= count)
        return "".join(key.digit for key in self.keys)

    def wait_held(self, timeout_s: float, held: bool = True) -> None:
        """Until the other side put the call on hold, or took it back."""
        self._wait("hold" if held else "resume", timeout_s, lambda: self._line.held_by_them == held)

    def wait_heard_tone(self, hz: float, timeout_s: float, level: float = TONE_LEVEL) -> float:
        """Until a tone of `hz` is heard for 0.2 s in what came since the last sound that was waited for.

        Returns when it began, in seconds of `heard()`, good to 0.1 s. Whatever else was heard before it is skipped.
        """
        return self._scan(f"tone of {hz} Hz", timeout_s, lambda window: is_tone(window, hz, level))

    def wait_heard_any(self, timeout_s: float, level: float = LOUD) -> float:
        """Until anything is heard that is louder than `level` (of full scale); returns when, as `wait_heard_tone`."""
        return self._scan("any sound", timeout_s, lambda window: loudness(window) >= level)

    def wait_heard_silence(self, timeout_s: float, seconds: float = WINDOW_S) -> float:
        """Until nothing is heard for `seconds`; returns when that began."""
        return self._scan("silence", timeout_s, lambda window: loudness(window) < LOUD, seconds)

    def wait_heard_s(self, seconds: float, timeout_s: float) -> None:
        """Until audio of so many seconds came in all, silence included."""
        self._wait(f"{seconds} s of audio", timeout_s, lambda: self.heard_s() >= seconds)

    def skip_heard(self) -> None:
        """Look only in what is heard from now on."""
        self._cursor = len(self._line.heard) // 2

    # -- doing

    def ring(self) -> None:
        """180 Ringing (incoming calls)."""
        self._thread.run(self._line.dialog.ring)

    def early(self) -> None:
        """183 with media (incoming calls): the caller hears us before the answer."""
        self._thread.run(self._line.early)

    def answer(self) -> None:
        """Take an incoming call; `wait_answered` tells when it is up."""
        self._thread.run(self._line.answer)

    def hangup(self, cause: str = "NORMAL_CLEARING") -> None:
        """End the call in whatever state it is; an incoming one that isn't answered is refused with the SIP answer that
        fits `cause`. Harmless when it is over."""
        self._thread.run(self._line.hangup, cause)

    def press(self, digits: str, duration_ms: int = 100) -> None:
        """Press keys one after the other as RFC 2833 events; returns when the last was sent.

        Raises RuntimeError where no telephone events were agreed on (yet), ValueError for what isn't a key.
        """
        for digit in digits:
            sent = threading.Event()
            if not self._thread.run(self._line.press, digit, duration_ms, sent.set):
                raise RuntimeError(f"key {digit}: no telephone events agreed on")
            if not sent.wait(duration_ms / 1000 + ACTION_S):
                raise PhoneTimeout(f"key {digit} was not sent")
            self._raise_if_over(f"key {digit}")

    def press_info(self, digits: str, duration_ms: int = 160) -> None:
        """Press keys as SIP INFO requests (`application/dtmf-relay`)."""
        for digit in digits:
            body = f"Signal={digit}\r\nDuration={duration_ms}\r\n"
            self._thread.run(self._line.dialog.send_info, "application/dtmf-relay", body)

    def talk(self, tone_hz: float | None) -> None:
        """Say a tone until told otherwise; None is silence."""
        self._thread.run(self._line.say, tone_hz)

    def say_tone(self, hz: float, seconds: float) -> None:
        """Say a tone, and return when it was said."""
        said = threading.Event()
        self._thread.run(self._line.say, hz, round(seconds * 50), said.set)
        if not said.wait(seconds + ACTION_S):
            raise PhoneTimeout(f"tone of {seconds} s was not said")
        self._raise_if_over("tone")

    def hold(self, timeout_s: float = ACTION_S) -> None:
        """Put the other side on hold (re-INVITE with `sendonly`); returns when it agreed."""
        self._reoffer("sendonly", timeout_s)

    def resume(self, timeout_s: float = ACTION_S) -> None:
        """Take the call back from hold."""
        self._reoffer("sendrecv", timeout_s)

    # -- inside

    def _reoffer(self, direction: str, timeout_s: float) -> None:
        line = self._line
        accepted, refused = line.reoffers_accepted, line.reoffers_refused
        if not self._thread.run(line.reoffer, direction):
            self._raise_if_over(direction)
            raise RuntimeError(f"{direction}: the call isn't up, or another re-INVITE is under way")
        self._wait(direction, timeout_s, lambda: (line.reoffers_accepted, line.reoffers_refused) != (accepted, refused))
        if line.reoffers_accepted == accepted:
            raise RuntimeError(f"{direction}: the other side refused")

    def _scan(self, what: str, timeout_s: float, found: Callable[[Samples], bool], window_s: float = WINDOW_S) -> float:
        window, step = int(window_s * RATE_HZ), int(STEP_S * RATE_HZ)

        def look() -> int | None:
            heard = bytes(self._line.heard[2 * self._cursor :])
            samples = np.frombuffer(heard, np.int16)
            begin = self._cursor
            while begin + window <= self._cursor + len(samples):
                offset = begin - self._cursor
                if found(samples[offset : offset + window]):
                    self._cursor = begin + window
                    return begin + 1
                begin += step
            self._cursor = begin
            return None

        return (self._wait(what, timeout_s, look) - 1) / RATE_HZ

    def _wait(self, what: str, timeout_s: float, happened: Callable[[], T | None]) -> T:
        """Wait until `happened` returns something true; looks at each change of the call and ten times a second of
        its audio."""
        deadline = time.monotonic() + timeout_s
        line = self._line
        with line.changed:
            while True:
                result = happened()
                if result:
                    return result
                if line.end is not None:
                    raise CallOver(what, line.end)
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise PhoneTimeout(f"{what}: not within {timeout_s} s")
                line.changed.wait(left_s)

    def _raise_if_over(self, what: str) -> None:
        if self._line.end is not None:
            raise CallOver(what, self._line.end)
