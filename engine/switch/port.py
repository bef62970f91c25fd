"""The switch port: what the rest of the engine may ask of a switch, typed, every wait with a deadline.

One adapter (`engine.switch.adapter`) speaks the event socket to FreeSWITCH and to the lab switch alike. Tests use
`tests/unit/session/fake_switch.py`. Blocking calls block the calling greenlet only.

Errors:
    SwitchError
    ├── ChannelGone        the caller's channel hung up; `end` says how
    ├── SwitchLost         the connection broke without a hangup; another engine gets the call
    ├── DeadlinePassed     the switch did not answer in time
    ├── CommandRefused     the switch answered -ERR; `reply` is what it said
    └── UnsafeArgument     a value that may not reach a command; nothing was sent
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class ChannelEnd:
    """How a channel ended. `cause` in FreeSWITCH's spelling; `by_remote`: the far side ended, cancelled or refused."""

    uuid: str
    cause: str
    by_remote: bool
    variables: Mapping[str, str]


class SwitchError(Exception):
    """Base of all that a switch may answer with instead of a result."""


class ChannelGone(SwitchError):
    def __init__(self, end: ChannelEnd) -> None:
        super().__init__(f"channel {end.uuid} hung up: {end.cause}")
        self.end = end


class SwitchLost(SwitchError):
    """The connection to the switch ended without a hangup of the channel."""


class DeadlinePassed(SwitchError):
    """The switch did not answer in time."""


class CommandRefused(SwitchError):
    def __init__(self, command: str, reply: str) -> None:
        super().__init__(f"{command}: {reply}")
        self.reply = reply


class UnsafeArgument(SwitchError, ValueError):
    """A value holds what FreeSWITCH would expand, split or take for a second command."""


NOT_DONE = (CommandRefused, DeadlinePassed, UnsafeArgument)
"""What one command may end with while the channel lives on: it was not carried out, the call can go on."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What the switch says of a channel when it hands it over. Values are decoded, and hostile until checked."""

    uuid: str
    switch: str
    """The switch's name (FreeSWITCH-Switchname)."""
    did: str
    ani: str
    caller_name: str
    privacy: bool
    """The caller asked that the number be hidden."""
    profile: str
    sip_call_id: str
    answered: bool
    attempt: int
    """Which `socket` action of the dialplan this is (variable cw_attempt), 1 for the first."""
    last_bridge_to: str
    last_bridge_cause: str
    variables: Mapping[str, str]
    """The channel's variables without the prefix `variable_`."""


@dataclass(frozen=True, slots=True)
class Played:
    """Everything was played."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Stopped by a key."""

    key: str


@dataclass(frozen=True, slots=True)
class NotPlayed:
    """A file is missing or unreadable; `source` and the switch's words for it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Digits:
    """Keys without the terminator; `terminator` None when ended by length or by the pause between keys."""

    digits: str
    terminator: str | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No key came."""


class Channel(Protocol):
    """The caller's channel, while this engine holds its socket.

    Every method raises ChannelGone, SwitchLost, DeadlinePassed, UnsafeArgument.
    `sources` are what the switch plays: absolute paths, `tone_stream://…`, `silence_stream://…`.
    """

    info: ChannelInfo

    @property
    def end(self) -> ChannelEnd | None:
        """How the channel ended, None while it lives."""

    def on_end(self, callback: Callable[[ChannelEnd | None], None]) -> Callable[[], None]:
        """Call back once at hangup (with its end) or loss of the connection (with None), at once if it has been.
        Returns a function that takes the callback back."""

    def answer(self) -> None: ...
    def pre_answer(self) -> None: ...
    def ring(self) -> None: ...

    def on_key(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call back with every key that is pressed from now on, beside what `play` and `collect` do with it; in the
        event loop, so the callback must not wait. Returns a function that takes the callback back."""

    def play(
        self, sources: Sequence[str], stop_keys: str = "", deadline_s: float = 600
    ) -> Played | Interrupted | NotPlayed:
        """Play the sources in order; a key of `stop_keys` (`0-9*#`) stops it."""

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
        """Play (a key stops it) and gather up to `max_digits` keys; keys typed ahead count."""

    def forget_keys(self) -> None:
        """Keys typed ahead don't count any more: they were meant for what is over."""

    def start_playing(self, sources: Sequence[str]) -> None:
        """Play without waiting for the end: ringing tone, music. Stopped by `stop_playing` or by a bridge."""

    def stop_playing(self) -> None: ...
    def send_keys(self, keys: str, key_ms: int = 100, deadline_s: float = 90) -> None:
        """Send keys to the far side (`0-9*#A-D`; `w` waits half a second, `W` a second) and wait until all are out."""

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set channel variables, all in one command that is sent with the next that waits."""

    def start_recording(self, path: str, *, masked: bool = False) -> None:
        """Record both directions to a stereo file, caller left; goes on over bridges until stopped or hung up.

        It begins when what plays is over. One that runs already goes on, and is `masked` afterwards or not.
        """

    def stop_recording(self, path: str) -> None: ...
    def mask_recording(self, path: str) -> None: ...
    def unmask_recording(self, path: str) -> None: ...

    def hangup(self, cause: str, deadline_s: float = 10) -> ChannelEnd:
        """Hang up and wait until the switch confirms it. A channel already gone is no error."""

    def wait_end(self, timeout_s: float | None) -> ChannelEnd | None:
        """Wait for the hangup; None when the time is over. Raises SwitchLost."""

    def close(self) -> None:
        """Let go of the socket without touching the channel."""


LOST_CAUSE = "NETWORK_OUT_OF_ORDER"
"""What is reported where the connection broke while the leg was ringing."""

Outcome = Literal["answered", "busy", "no_answer", "rejected", "not_registered", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Originated:
    """What became of an originate. `cause` is the switch's, empty when answered."""

    outcome: Outcome
    cause: str = ""


@dataclass(frozen=True, slots=True)
class DialTarget:
    """Whom to ring: a registered user (`sofia/internal/<user>%<domain>`) or a number over a gateway."""

    kind: Literal["user", "gateway"]
    user_or_number: str
    domain_or_gateway: str


NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Originate(Protocol):
    """An outgoing leg that is being rung."""

    leg: str

    def wait(self, timeout_s: float) -> Originated | None:
        """The outcome; None when the time is over. Raises SwitchLost."""

    def on_done(self, callback: Callable[[Originated], None]) -> Callable[[], None]:
        """Call back once with the outcome, at once if it is there. Returns a function that takes the callback back."""

    def cancel(self) -> None:
        """Stop ringing (or hang up, if it was answered in the meantime). Never raises."""


class Control(Protocol):
    """The control connection of one switch: things that concern no single socket. Reconnects by itself.

    Methods raise SwitchLost while there is no connection, DeadlinePassed, CommandRefused, UnsafeArgument.
    """

    @property
    def connected(self) -> bool: ...

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
    ) -> Originate:
        """Ring the target as leg `leg` (a UUID that we choose); when answered it waits parked, at most 30 s.

        `auto_answer` asks the telephone to answer by itself; one that does not know how rings. `headers` are added to
        the INVITE: names of letters, digits and dashes, values percent-encoded (`quoting.header_value`).
        """

    def registered(self) -> frozenset[str]:
        """The users with at least one telephone registered now."""

    def on_registration(self, callback: Callable[[str, bool], None]) -> None:
        """Call back with a user and whether a telephone of his is registered, at every registration (one that is
        only refreshed may be told again) and when the last of his telephones has gone.

        What happened while there was no connection is not told: see `on_connected` and `registered`.
        """

    def play_to(self, uuid: str, sources: Sequence[str], deadline_s: float = 60) -> bool:
        """Play to a parked leg and wait for the end; False when it could not be played or hung up meanwhile."""

    def ask(self, uuid: str, sources: Sequence[str], keys: str, timeout_ms: int, deadline_s: float = 60) -> str | None:
        """Play to a parked leg and wait for one key of `keys`, which stops what plays; other keys are ignored.

        None when no key came within `timeout_ms` after the last source. A source that can't be played is skipped.
        `deadline_s` is the longest that playing may take. Raises ChannelGone when the leg hung up, as one does whose
        time to wait parked is over (see `originate`), or is not there.
        """

    def bridge(self, a: str, b: str) -> None:
        """Let two channels talk. The first leaves its socket and returns by its `transfer_after_bridge`."""

    def kill(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        """Hang up a channel; one that is gone already is no error."""

    def exists(self, uuid: str) -> bool: ...

    def fetch(self, uuid: str, to: str) -> bool:
        """Send a channel whose engine is gone through the entry again (`<extension>:XML:<context>`), whatever plays
        to it. False when there is nothing to fetch: it is gone, or in a conversation.
        """

    def channels(self) -> Sequence[str]:
        """The uuids of all live channels."""

    def on_channel_end(self, callback: Callable[[ChannelEnd], None]) -> None:
        """Call back for every hangup of a channel that carries cw_managed=true, on any socket or none."""

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call back after every (re)connection, once subscribed."""
