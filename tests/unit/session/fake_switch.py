"""A switch with behaviour, for tests of sessions: no network, nothing sleeps. The same port as the real adapter's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gevent.event import AsyncResult, Event

from engine.switch.port import (
    Channel,
    ChannelEnd,
    ChannelGone,
    ChannelInfo,
    CommandRefused,
    DialTarget,
    Digits,
    Interrupted,
    NotPlayed,
    Originated,
    Played,
    SwitchLost,
    TimedOut,
)


def channel_info(uuid: str = "a-leg", **changes: Any) -> ChannelInfo:
    known: dict[str, Any] = {
        "uuid": uuid,
        "switch": "fake",
        "did": "+420221111000",
        "ani": "+420601234567",
        "caller_name": "Jan Novak",
        "privacy": False,
        "profile": "external",
        "sip_call_id": "1@127.0.0.1",
        "answered": False,
        "attempt": 1,
        "last_bridge_to": "",
        "last_bridge_cause": "",
        "variables": {},
    }
    return ChannelInfo(**(known | changes))


class Gone:
    """Answer of a script: the caller hangs up at this point."""


class Lost:
    """Answer of a script: the connection to the switch breaks at this point."""


@dataclass
class FakeChannel:
    """A caller who answers `play` and `collect` from a script; everything done to it is in `log`."""

    info: ChannelInfo = field(default_factory=channel_info)
    script: list[Any] = field(default_factory=list)
    log: list[tuple[Any, ...]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    refuses: set[str] = field(default_factory=set)
    """Methods that the switch answers with -ERR."""

    def __post_init__(self) -> None:
        self.script = list(self.script)
        self._ended: AsyncResult = AsyncResult()
        self._callbacks: list[Callable[[ChannelEnd | None], None]] = []
        self._key_callbacks: list[Callable[[str], None]] = []
        self.reached: dict[str, AsyncResult] = {}

    @property
    def end(self) -> ChannelEnd | None:
        return self._ended.value if self._ended.ready() else None

    def when(self, what: str) -> AsyncResult:
        """Set as soon as the session does `what` (a method's name)."""
        return self.reached.setdefault(what, AsyncResult())

    def caller_hangs_up(self, cause: str = "NORMAL_CLEARING", by_remote: bool = True) -> None:
        if self._ended.ready():
            return
        self._ended.set(ChannelEnd(self.info.uuid, cause, by_remote, {}))
        self._tell(self._ended.value)

    def connection_breaks(self) -> None:
        if not self._ended.ready():
            self._ended.set(None)
            self._tell(None)

    def _tell(self, end: ChannelEnd | None) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(end)

    def on_end(self, callback: Callable[[ChannelEnd | None], None]) -> Callable[[], None]:
        if self._ended.ready():
            callback(self._ended.value)
            return lambda: None
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def on_key(self, callback: Callable[[str], None]) -> Callable[[], None]:
        self._key_callbacks.append(callback)
        return lambda: self._key_callbacks.remove(callback) if callback in self._key_callbacks else None

    def caller_presses(self, keys: str) -> None:
        """Tell `on_key`; what `play` and `collect` return is the script's business."""
        for key in keys:
            for callback in list(self._key_callbacks):
                callback(key)

    def forget_keys(self) -> None:
        self._do("forget_keys")

    def _do(self, *what: Any) -> None:
        if self._ended.ready():
            if self._ended.value is None:
                raise SwitchLost("broken")
            raise ChannelGone(self._ended.value)
        self.log.append(what)
        self.when(what[0]).set()
        if what[0] in self.refuses:
            raise CommandRefused(what[0], "-ERR no")

    def _next(self) -> Any:
        if not self.script:
            self.caller_hangs_up()
            raise ChannelGone(self._ended.value)
        answer = self.script.pop(0)
        if isinstance(answer, Gone):
            self.caller_hangs_up()
            raise ChannelGone(self._ended.value)
        if isinstance(answer, Lost):
            self.connection_breaks()
            raise SwitchLost("broken")
        return answer

    def answer(self) -> None:
        self._do("answer")

    def pre_answer(self) -> None:
        self._do("pre_answer")

    def ring(self) -> None:
        self._do("ring")

    def play(
        self, sources: Sequence[str], stop_keys: str = "", deadline_s: float = 600
    ) -> Played | Interrupted | NotPlayed:
        self._do("play", *sources)
        answer = self._next()
        assert isinstance(answer, Played | Interrupted | NotPlayed), answer
        return answer

    def collect(self, sources: Sequence[str], **options: Any) -> Digits | TimedOut | NotPlayed:
        self._do("collect", *sources)
        answer = self._next()
        assert isinstance(answer, Digits | TimedOut | NotPlayed), answer
        return answer

    def start_playing(self, sources: Sequence[str]) -> None:
        self._do("start_playing", *sources)

    def stop_playing(self) -> None:
        self._do("stop_playing")

    def send_keys(self, keys: str, key_ms: int = 100, deadline_s: float = 90) -> None:
        self._do("send_keys", keys)

    def set_variables(self, variables: Mapping[str, str]) -> None:
        self.variables.update(variables)

    def start_recording(self, path: str, *, masked: bool = False) -> None:
        self._do("start_recording", path)

    def stop_recording(self, path: str) -> None:
        self._do("stop_recording", path)

    def mask_recording(self, path: str) -> None:
        self._do("mask_recording", path)

    def unmask_recording(self, path: str) -> None:
        self._do("unmask_recording", path)

    def hangup(self, cause: str, deadline_s: float = 10) -> ChannelEnd:
        if not self._ended.ready():
            self._do("hangup", cause)
            self.caller_hangs_up(cause, by_remote=False)
        if self._ended.value is None:
            raise SwitchLost("broken")
        return self._ended.value

    def wait_end(self, timeout_s: float | None) -> ChannelEnd | None:
        end: ChannelEnd | None = self._ended.wait(timeout_s)
        if end is None and self._ended.ready():
            raise SwitchLost("broken")
        return end

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeOriginate:
    leg: str
    outcome: AsyncResult = field(default_factory=AsyncResult)
    cancelled: bool = False

    def wait(self, timeout_s: float) -> Originated | None:
        return self.outcome.get(timeout=timeout_s)

    def on_done(self, callback: Callable[[Originated], None]) -> Callable[[], None]:
        def told(result: AsyncResult) -> None:
            callback(result.value)

        self.outcome.rawlink(told)
        return lambda: self.outcome.unlink(told)

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeControl:
    """Rings legs; tests say what becomes of each (`outcomes`, first in first out; none left: rings on)."""

    outcomes: list[Originated] = field(default_factory=list)
    rung: list[tuple[DialTarget, FakeOriginate]] = field(default_factory=list)
    bridged: list[tuple[str, str]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    played: list[tuple[str, ...]] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)
    in_conversation: set[str] = field(default_factory=set)
    fetched: list[tuple[str, str]] = field(default_factory=list)
    phones: set[str] = field(default_factory=set)
    """Users with a registered telephone; see `registers` and `unregisters`."""
    answers: list[str | None] = field(default_factory=list)
    """What the legs that are asked press, first in first out (None: nothing in time); none left: see `presses`."""
    asked: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    """Leg, sources and keys of every `ask`."""
    auto_answered: set[str] = field(default_factory=set)
    """Legs whose telephone was to answer by itself."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """What each leg's telephone was told beside."""
    refuse_bridge: bool = False
    connected: bool = True

    def __post_init__(self) -> None:
        self.ringing: AsyncResult = AsyncResult()
        self.joined: AsyncResult = AsyncResult()
        self.announcing = Event()
        self.announced = Event()
        """Set by a test when an announcement has been heard to its end."""
        self.end_callbacks: list[Callable[[ChannelEnd], None]] = []
        self.registration_callbacks: list[Callable[[str, bool], None]] = []
        self._asking: dict[str, AsyncResult] = {}

    def _up(self) -> None:
        if not self.connected:
            raise SwitchLost("no control connection")

    def originate(self, target: DialTarget, *, leg: str, auto_answer: bool = False, **options: Any) -> FakeOriginate:
        self._up()
        originate = FakeOriginate(leg)
        if auto_answer:
            self.auto_answered.add(leg)
        self.headers[leg] = dict(options.get("headers", {}))
        self.rung.append((target, originate))
        if self.outcomes:
            originate.outcome.set(self.outcomes.pop(0))
        self.ringing.set(originate)
        return originate

    def play_to(self, uuid: str, sources: Sequence[str], deadline_s: float = 60) -> bool:
        self._up()
        self.played.append((uuid, *sources))
        self.announcing.set()
        self.announced.wait()
        return True

    def ask(self, uuid: str, sources: Sequence[str], keys: str, timeout_ms: int, deadline_s: float = 60) -> str | None:
        """The next of `answers`; where there is none, waits for `presses` or `leg_hangs_up`."""
        self._up()
        self.asked.append((uuid, tuple(sources), keys))
        asking = self._asking[uuid] = AsyncResult()
        self.announcing.set()
        if self.answers:
            asking.set(self.answers.pop(0))
        try:
            answer: str | None = asking.get()
        finally:
            self._asking.pop(uuid, None)
        assert answer is None or answer in keys, f"{answer!r} is none of {keys!r}"
        return answer

    def presses(self, leg: str, key: str | None) -> None:
        """The leg that is asked presses a key; None: lets the time go by."""
        self._asking[leg].set(key)

    def leg_hangs_up(self, leg: str, cause: str = "NORMAL_CLEARING") -> None:
        """A leg ends: who asks it is told, and so is `on_channel_end`."""
        end = ChannelEnd(leg, cause, True, {})
        if leg in self._asking:
            self._asking[leg].set_exception(ChannelGone(end))
        for callback in list(self.end_callbacks):
            callback(end)

    def registered(self) -> frozenset[str]:
        self._up()
        return frozenset(self.phones)

    def on_registration(self, callback: Callable[[str, bool], None]) -> None:
        self.registration_callbacks.append(callback)

    def registers(self, user: str) -> None:
        self.phones.add(user)
        for callback in list(self.registration_callbacks):
            callback(user, True)

    def unregisters(self, user: str) -> None:
        self.phones.discard(user)
        for callback in list(self.registration_callbacks):
            callback(user, False)

    def bridge(self, a: str, b: str) -> None:
        self._up()
        if self.refuse_bridge:
            raise CommandRefused("uuid_bridge", "-ERR Invalid uuid")
        self.bridged.append((a, b))
        self.joined.set((a, b))

    def kill(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        self.killed.append(uuid)

    def exists(self, uuid: str) -> bool:
        self._up()
        return uuid in self.alive

    def fetch(self, uuid: str, to: str) -> bool:
        self._up()
        if uuid not in self.alive or uuid in self.in_conversation:
            return False
        self.fetched.append((uuid, to))
        return True

    def channels(self) -> Sequence[str]:
        return sorted(self.alive)

    def on_channel_end(self, callback: Callable[[ChannelEnd], None]) -> None:
        self.end_callbacks.append(callback)

    def on_connected(self, callback: Callable[[], None]) -> None:
        callback()


_: type[Channel] = FakeChannel
