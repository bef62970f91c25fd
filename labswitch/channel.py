"""A channel: one leg with its variables, its state, its keys and its media, as FreeSWITCH keeps them.

The channel itself only holds and tells. What it does is run by one task (`labswitch.session`), as a FreeSWITCH
channel is run by one thread; other channels and the control connection change its state and wake it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labswitch.audio import mix
from labswitch.dialplan import Action
from labswitch.event import VERBOSE, Event
from labswitch.expand import expand
from labswitch.headers import CallerProfile, Headers, basic, variables
from labswitch.leg import SILENCE, Leg, LegEnd
from labswitch.sip_causes import phrase_of
from labswitch.state import State

if TYPE_CHECKING:
    from labswitch.recording import Recording
    from labswitch.switch import Switch

log = logging.getLogger("labswitch.channel")

MAX_TYPED_AHEAD = 100
"""Keys that wait to be read; more are dropped."""

_SAMPLES_PER_MS = 8
_SOURCES = {"rfc2833": "RTP", "info": "ENDPOINT", "app": "APP"}


@dataclass
class Key:
    """One pressed key that nobody has read yet."""

    digit: str
    duration_ms: int
    source: str


class Channel:
    """One leg of a call. A `LegListener`: its leg tells it what happens."""

    def __init__(self, switch: Switch, profile: CallerProfile, session_id: int) -> None:
        self.switch = switch
        self.uuid = profile.uuid
        self.direction = profile.direction
        self.name = profile.channel_name
        self.profile = profile
        self.other: CallerProfile | None = None
        self.other_type = "originator"
        self.variables: dict[str, str] = {}
        self.session_id = session_id
        self.leg: Leg | None = None
        self.codec = ""

        self.state = State.NEW
        self.running_state = State.NEW
        self.call_state = "DOWN"
        self.answered = False
        self.early = False
        self.hangup_cause = ""
        self.hit_dialplan = profile.direction == "inbound"
        self.task: asyncio.Task[None] | None = None
        self.keep_alive: list[asyncio.Future[None]] = []
        """The channel is not destroyed before these are done (sockets that linger)."""

        self.application = self.application_data = ""
        self._last = ("", "")
        self._begin_control()
        self._begin_media()

    def _begin_control(self) -> None:
        self.extension: deque[Action] = deque()
        self.private_events: deque[dict[str, str]] = deque()
        self.event_lock = 0
        self.stack_depth = 0
        self.stop_app = False
        """FreeSWITCH's CF_BREAK: what runs ends at its next frame."""
        self.stop_loops = False
        self.controlled = False
        self.parked = False
        self.moving = False
        """Taken out of what it does, towards another state: CF_TRANSFER and CF_REDIRECT."""
        self.redirected = False
        self.uuid_bridge_to: Channel | None = None
        self.bridge_peer: Channel | None = None
        self.bridged = False
        self.suspended = False
        self.held = False
        self.passive_routing = False

    def _begin_media(self) -> None:
        self.keys: deque[Key] = deque()
        self.recordings: dict[str, Recording] = {}
        self.listeners: list[Callable[[bytes, bytes], None]] = []
        """Taps (eavesdrop): called with what was heard from and said to the party, each frame."""
        self.whispered: list[bytes] = []
        self.last_read = SILENCE
        self._say: bytes | None = None
        self._waiters: list[asyncio.Future[None]] = []

    # -- variables ---------------------------------------------------------------------------------------------

    def set(self, name: str, value: str | None) -> None:
        """Set, or remove with None; a variable that is set anew moves to the end, as in FreeSWITCH."""
        self.variables.pop(name, None)
        if value is not None:
            self.variables[name] = value

    def push(self, name: str, value: str) -> None:
        """Add to a variable that keeps all its values: `ARRAY::one|:two`."""
        before = self.variables.get(name)
        if before is not None:
            before = before if before.startswith("ARRAY::") else f"ARRAY::{before}"
            value = f"{before}|:{value}"
        self.set(name, value)

    def get(self, name: str) -> str | None:
        """A variable, or a field of the caller's profile, or a global variable of the configuration."""
        value = self.variables.get(name)
        if value is None:
            value = getattr(self.profile, name, None) if name in _PROFILE_FIELDS else None
        return value if value is not None else self.switch.config.variables.get(name)

    def expand(self, text: str) -> str:
        """`text` with every `${...}` replaced."""
        return expand(text, self.get, self.switch.expand_api)

    # -- state -------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """Not hung up."""
        return not self.hangup_cause

    @property
    def ready(self) -> bool:
        """May go on with what it does: up, and nobody is moving it elsewhere."""
        state = self.state
        return (
            not self.hangup_cause
            and not self.moving
            and State.ROUTING < state < State.HANGUP
            and state is not State.RESET
            and state is self.running_state
        )

    @property
    def media_up(self) -> bool:
        """Audio flows."""
        return self.answered or self.early

    @property
    def answer_state(self) -> str:
        """`ringing`, `early`, `answered` or `hangup`."""
        if self.hangup_cause:
            return "hangup"
        return "answered" if self.answered else "early" if self.early else "ringing"

    @property
    def listed_state(self) -> str:
        """What `show channels` shows: the last state before the hangup, for as long as the channel is listed."""
        return self._last[0] or self.running_state.label

    @property
    def listed_call_state(self) -> str:
        """Likewise."""
        return self._last[1] or self.call_state

    @property
    def partner(self) -> Channel | None:
        """Who this channel talks to, or is being called for."""
        bond = self.variables.get("signal_bond") or self.variables.get("originate_signal_bond")
        return self.switch.channels.get(bond) if bond else None

    def set_state(self, state: State) -> None:
        """Ask the channel's task to go to `state`; nothing brings a hung-up channel back."""
        if self.up and state is not self.state:
            self.state = state
            self.wake()

    def wake(self) -> None:
        """Let everything that waits on this channel look again at once."""
        waiters, self._waiters = self._waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    async def pulse(self) -> None:
        """Wait for the next 20 ms beat or for `wake`, whichever comes first."""
        future = self.switch.beat.wait()
        self._waiters.append(future)
        await future
        if future in self._waiters:
            self._waiters.remove(future)

    async def frame(self) -> bytes:
        """Wait for the next frame and return what the party said in it."""
        await self.pulse()
        return self.last_read

    # -- events ------------------------------------------------------------------------------------------------

    def fire(self, event_name: str, first: Headers | None = None, last: Headers | None = None) -> None:
        """Tell every listener: `first`, what the channel looks like, its variables, `last`."""
        self.switch.fire(event_name, lambda: self._event_headers(event_name, first, last))

    def _event_headers(self, name: str, first: Headers | None, last: Headers | None) -> Headers:
        found = [*(first or ()), *basic(self)]
        if name in VERBOSE:
            found += variables(self.variables)
        return found + (last or [])

    def data_event(self, prefix_profile: bool = False) -> Event:
        """CHANNEL_DATA: the answer to `connect` (which repeats the profile as `Channel-`) and to `uuid_dump`."""
        first = self.profile.headers("Channel") if prefix_profile else []
        return self.switch.make_event("CHANNEL_DATA", [*first, *basic(self), *variables(self.variables)])

    # -- what the leg tells ------------------------------------------------------------------------------------

    def on_ringing(self) -> None:
        if self.up and self.direction == "outbound" and not self.profile.times.progress and not self.answered:
            self.profile.times.progress = self.switch.clock.now_us()
            self.fire("CHANNEL_PROGRESS")
            self.call_state = "RINGING"
            self.wake()

    def on_early_media(self) -> None:
        if self.up and not self.media_up:
            self.start_early_media()
            self.wake()

    def on_answered(self) -> None:
        if self.up and self.direction == "outbound":
            self.mark_answered()
            self.wake()

    def on_dtmf(self, digit: str, duration_ms: int, source: str) -> None:
        if self.up and len(self.keys) < MAX_TYPED_AHEAD:
            self.keys.append(Key(digit, duration_ms, _SOURCES.get(source, "RTP")))

    def on_hold(self, held: bool) -> None:
        if self.up:
            self.mark_held(held)

    def on_ended(self, end: LegEnd) -> None:
        if not self.up:
            return
        self.set("sip_term_status", str(end.sip_code or 200))
        self.set("proto_specific_hangup_cause", f"sip:{end.sip_code or 200}")
        self.set("sip_hangup_disposition", end.disposition)
        if end.sip_code is not None:
            self.set("sip_hangup_phrase", phrase_of(end.sip_code))
        if end.disposition == "recv_refuse" and end.sip_code is not None:
            for channel in (self, self.partner):
                if channel is not None:
                    channel.set("sip_invite_failure_status", str(end.sip_code))
                    channel.set("sip_invite_failure_phrase", phrase_of(end.sip_code))
        self.hangup(end.cause)

    # -- doing -------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        """200 OK to a caller. Counts at once: who waits for the ACK loses 30 ms a call."""
        if self.direction == "inbound" and not self.answered and self.up and self.leg is not None:
            self.leg.answer()
            self.mark_answered()

    def pre_answer(self) -> None:
        """183 with audio to a caller."""
        if self.direction == "inbound" and not self.media_up and self.up and self.leg is not None:
            self.leg.early_media()
            self.start_early_media()

    def ring(self) -> None:
        """180 to a caller."""
        if self.direction == "inbound" and not self.media_up and self.up and self.leg is not None:
            self.leg.ring()
            if not self.profile.times.progress:
                self.profile.times.progress = self.switch.clock.now_us()
                self.fire("CHANNEL_PROGRESS")

    def start_early_media(self) -> None:
        """Audio flows before the answer."""
        self.early = True
        self.codec = self.codec or "PCMA"
        self.profile.times.progress_media = self.switch.clock.now_us()
        self.set("endpoint_disposition", "EARLY MEDIA")
        self.fire("CHANNEL_PROGRESS_MEDIA")
        self.call_state = "EARLY"

    def mark_answered(self) -> None:
        """The call is answered, by whichever side."""
        if self.answered or not self.up:
            return
        self.answered = True
        self.codec = self.codec or "PCMA"
        self.profile.times.answered = self.switch.clock.now_us()
        self.fire("CHANNEL_ANSWER")
        self.set("endpoint_disposition", "ANSWER")
        self.call_state = "ACTIVE"

    def mark_held(self, held: bool) -> None:
        """Hold or no longer: audio stops both ways, the state shows it, the time is summed up."""
        if held == self.held or not self.up:
            return
        self.held = held
        now_us, times = self.switch.clock.now_us(), self.profile.times
        if held:
            times.last_hold = now_us
            self.call_state = "HELD"
        else:
            times.hold_accum += now_us - times.last_hold
            self.call_state = "UNHELD"
        self.fire("CHANNEL_HOLD" if held else "CHANNEL_UNHOLD")
        if not held:
            self.call_state = "ACTIVE"

    def take_key(self) -> str | None:
        """The next pressed key, None without one. Listeners learn of a key when it is read, not when it is pressed."""
        if not self.keys:
            return None
        key = self.keys.popleft()
        duration = str(key.duration_ms * _SAMPLES_PER_MS)
        last = [("DTMF-Digit", key.digit), ("DTMF-Duration", duration), ("DTMF-Source", key.source)]
        self.fire("DTMF", last=last)
        return key.digit

    def write(self, frame: bytes) -> None:
        """Say one frame to the party; it leaves at the next beat."""
        self._say = frame

    def media_tick(self) -> None:
        """One beat: speak what was written, feed who listens, hear the next frame."""
        said, self._say = self._say, None
        whispered, self.whispered = self.whispered, []
        leg = self.leg
        if leg is None or not self.media_up or not self.up:
            return
        spoken = said
        for whisper in whispered:
            spoken = mix(spoken or SILENCE, whisper)
        if spoken is not None:
            leg.write(spoken)
        for recording in tuple(self.recordings.values()):
            recording.feed(self.last_read, said or SILENCE)
        for listener in self.listeners:
            listener(self.last_read, said or SILENCE)
        self.last_read = leg.read()

    def hangup(self, cause: str) -> None:
        """End the call with `cause`; the first cause counts. The channel's task does the rest."""
        if self.hangup_cause:
            return
        if (partner := self.partner) is not None:
            partner.set("last_bridge_hangup_cause", cause)
            if proto := self.variables.get("proto_specific_hangup_cause"):
                partner.set("last_bridge_proto_specific_hangup_cause", proto)
        if "last_bridge_to" in self.variables:
            self.set("last_bridge_role", "originator" if self.other_type == "originatee" else "originatee")
        self._last = self.listed_state, self.listed_call_state
        self.hangup_cause = cause
        self.profile.times.hangup = self.switch.clock.now_us()
        self.state = State.HANGUP
        self.fire("CHANNEL_HANGUP")
        log.info("%s hung up: %s", self.name, cause)
        self.wake()


_PROFILE_FIELDS = frozenset(
    (
        *("caller_id_name", "caller_id_number", "callee_id_name", "callee_id_number", "destination_number"),
        *("network_addr", "ani", "context", "dialplan", "username", "rdnis", "source", "uuid", "channel_name"),
    )
)
