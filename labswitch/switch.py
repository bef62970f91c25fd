"""The lab switch itself: who is there, what happened, and where calls come from and go to."""

from __future__ import annotations

import asyncio
import logging
import uuid as uuids
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from labswitch import apps, session
from labswitch.cdr import stamp
from labswitch.channel import Channel
from labswitch.clock import Beat, Clock
from labswitch.config import Config
from labswitch.dialplan import Dialplan
from labswitch.event import Event
from labswitch.expand import DENIED
from labswitch.headers import CallerProfile, Headers, Times
from labswitch.incoming import caller_profile, caller_variables
from labswitch.leg import DialError, Extras, Invitation, Leg, LegListener, LegMaker, Registration
from labswitch.schedule import Schedule
from labswitch.state import State

log = logging.getLogger("labswitch.switch")

HEARTBEAT_S = 20
_FIVE_MINUTES_S = 300

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listener(Protocol):
    """Somebody on an event socket."""

    def wants(self, name: str, subclass: str) -> bool: ...
    def deliver(self, event: Event) -> None: ...
    def channel_ending(self, channel: Channel) -> None:
        """Before CHANNEL_HANGUP_COMPLETE."""

    def channel_ended(self, channel: Channel) -> None:
        """After CHANNEL_HANGUP_COMPLETE."""


class Switch:
    """Channels, listeners and counters. One per process; everything on one event loop.

    `connect` opens connections for the application `socket`; tests put a pair of local sockets in its place.
    """

    def __init__(
        self,
        config: Config,
        leg_maker: LegMaker | None = None,
        connect: Callable[[str, int], Awaitable[Streams]] | None = None,
        state_dir: Path | None = None,
    ) -> None:
        apps.load()
        self.config = config
        self.leg_maker = leg_maker
        self.connect = connect or asyncio.open_connection
        self.sounds = Path(config.variables.get("sounds_dir") or config.directory)
        self.state_dir = state_dir
        self.dialplan = Dialplan(dict(config.contexts))
        self.clock = Clock()
        self.beat = Beat(self._tick)
        self.schedule = Schedule()
        self.core_uuid = self.new_uuid()
        self.started_us = self.clock.now_us()
        self.channels: dict[str, Channel] = {}
        self.listeners: list[Listener] = []
        self.expand_api: Callable[[str, str], str | None] = lambda name, arguments: DENIED
        self.registrations: Callable[[str], dict[str, Registration]] = lambda profile: {}
        """Who is registered on a profile, by user."""
        self.flush_registration: Callable[[str, str], None] = lambda profile, user: None
        """End a user's registration on a profile as if its time had run out."""
        self.sessions_total = 0
        self.sessions_peak = 0
        self.paused = False
        self.jobs: set[asyncio.Task[None]] = set()
        """Background jobs and sockets that run now."""
        self._sequence = 0
        self._recent: deque[float] = deque()
        self._heartbeat: asyncio.TimerHandle | None = None

    # -- ids and time ------------------------------------------------------------------------------------------

    def new_uuid(self) -> str:
        """A fresh identity."""
        return str(uuids.uuid4())

    def _tick(self) -> bool:
        for channel in tuple(self.channels.values()):
            channel.media_tick()
        return bool(self.channels)

    # -- events ------------------------------------------------------------------------------------------------

    def fire(self, name: str, headers: Callable[[], Headers], body: str = "", subclass: str = "") -> None:
        """Tell whoever subscribed; the event is put together only when somebody did."""
        wanting = [listener for listener in self.listeners if listener.wants(name, subclass)]
        self._sequence += 1
        if wanting:
            event = self.make_event(name, headers(), body, subclass)
            for listener in wanting:
                listener.deliver(event)

    def make_event(self, name: str, headers: Headers, body: str = "", subclass: str = "") -> Event:
        """An event with the headers that all events begin with."""
        now_us = self.clock.now_us()
        gmt = datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        first = [("Event-Subclass", subclass)] if subclass else []
        first += [
            ("Event-Name", name),
            ("Core-UUID", self.core_uuid),
            ("FreeSWITCH-Hostname", self.config.switch_name),
            ("FreeSWITCH-Switchname", self.config.switch_name),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", stamp(now_us)),
            ("Event-Date-GMT", gmt),
            ("Event-Date-Timestamp", str(now_us)),
            ("Event-Calling-File", "labswitch"),
            ("Event-Calling-Function", "fire"),
            ("Event-Calling-Line-Number", "0"),
            ("Event-Sequence", str(self._sequence)),
        ]
        return Event(name, first + headers, body, subclass)

    def start_heartbeat(self) -> None:
        """HEARTBEAT now and every 20 seconds."""
        loop = asyncio.get_running_loop()
        self._heartbeat = loop.call_later(HEARTBEAT_S, self.start_heartbeat)
        count = len(self.channels)
        self.fire(
            "HEARTBEAT",
            lambda: [
                ("Event-Info", "System Ready"),
                ("Up-Time", self.uptime()),
                ("FreeSWITCH-Version", "1.11.3-lab"),
                ("Uptime-msec", str((self.clock.now_us() - self.started_us) // 1000)),
                ("Session-Count", str(count)),
                ("Max-Sessions", str(self.config.max_sessions)),
                ("Session-Per-Sec", str(self.config.sessions_per_second)),
                ("Session-Per-Sec-Last", str(self.sessions_last_second())),
                ("Session-Since-Startup", str(self.sessions_total)),
                ("Session-Peak-Max", str(self.sessions_peak)),
                ("Heartbeat-Interval", str(HEARTBEAT_S)),
            ],
        )

    def uptime(self) -> str:
        """`0 years, 0 days, 0 hours, 1 minute, 51 seconds, 203 milliseconds, 69 microseconds`."""
        left = self.clock.now_us() - self.started_us
        parts = []
        for size, word in (
            (31_536_000_000_000, "year"),
            (86_400_000_000, "day"),
            (3_600_000_000, "hour"),
            (60_000_000, "minute"),
            (1_000_000, "second"),
            (1000, "millisecond"),
            (1, "microsecond"),
        ):
            count, left = divmod(left, size)
            parts.append(f"{count} {word}{'' if count == 1 else 's'}")
        return ", ".join(parts)

    # -- channels ----------------------------------------------------------------------------------------------

    def find(self, uuid: str) -> Channel | None:
        """The channel of that identity. One that has hung up is not found, even while a socket lingers on it."""
        channel = self.channels.get(uuid)
        return channel if channel is not None and channel.up else None

    def new_channel(self, profile: CallerProfile) -> Channel:
        """A channel in CS_NEW, counted and listed."""
        self.sessions_total += 1
        channel = Channel(self, profile, self.sessions_total)
        self.channels[profile.uuid] = channel
        self.sessions_peak = max(self.sessions_peak, len(self.channels))
        self._recent.append(self.clock.monotonic())
        return channel

    def start(self, channel: Channel) -> None:
        """Announce the channel and set its task going; at once, so that nothing its leg tells comes before."""
        channel.running_state, channel.state = State.INIT, State.ROUTING
        channel.fire("CHANNEL_CREATE")
        channel.task = asyncio.get_running_loop().create_task(session.run(channel))
        self.beat.start()

    def forget(self, channel: Channel) -> None:
        """The channel is no more."""
        self.channels.pop(channel.uuid, None)

    def tell_ending(self, channel: Channel) -> None:
        """Its sockets learn that the call is over, those that do not linger."""
        for listener in tuple(self.listeners):
            listener.channel_ending(channel)

    def tell_ended(self, channel: Channel) -> None:
        """Its sockets learn that nothing more comes."""
        for listener in tuple(self.listeners):
            listener.channel_ended(channel)

    def sessions_last_second(self) -> int:
        """How many calls began in the last second."""
        now = self.clock.monotonic()
        while self._recent and now - self._recent[0] > _FIVE_MINUTES_S:
            self._recent.popleft()
        return sum(1 for moment in self._recent if now - moment <= 1)

    # -- calls -------------------------------------------------------------------------------------------------

    def dial(self, address: str, number: str, name: str, listener: LegListener, extras: Extras) -> Leg:
        """Start an outgoing leg. Raises `DialError`."""
        if self.leg_maker is None:
            raise DialError("CHAN_NOT_IMPLEMENTED", address)
        return self.leg_maker.dial(address, number, name, listener, extras)

    def incoming(self, invitation: Invitation, leg: Leg) -> Channel | None:
        """A call came in; it enters the dialplan of its profile. None when it is refused for want of room."""
        if self.paused or len(self.channels) >= self.config.max_sessions or self._too_fast():
            leg.hangup("SWITCH_CONGESTION")
            return None
        now_us = self.clock.now_us()
        context = self._context(invitation)
        profile = caller_profile(invitation, self.new_uuid(), context, Times(now_us, now_us))
        channel = self.new_channel(profile)
        channel.leg, channel.codec = leg, invitation.codec
        channel.variables.update(caller_variables(invitation, channel, self.config, now_us))
        leg.listener = channel
        self.start(channel)
        return channel

    def _too_fast(self) -> bool:
        return self.sessions_last_second() >= self.config.sessions_per_second

    def _context(self, invitation: Invitation) -> str:
        """The user's own context where the caller is one, else the profile's."""
        if invitation.authenticated_user:
            user = self.config.user(invitation.authenticated_user)
            if user is not None and user.user_context:
                return user.user_context
        profile = self.config.profiles.get(invitation.profile)
        return profile.context if profile is not None else "public"

    async def close(self) -> None:
        """Hang up every call and wait until they are gone."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self.schedule.close()
        tasks = [channel.task for channel in self.channels.values() if channel.task is not None]
        for channel in tuple(self.channels.values()):
            channel.hangup("SYSTEM_SHUTDOWN")
            for future in channel.keep_alive:
                if not future.done():
                    future.set_result(None)
        if tasks or self.jobs:
            await asyncio.wait({*tasks, *self.jobs})
        self.beat.stop()
