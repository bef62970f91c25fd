"""Parties without a network, and a clock that jumps: most tests of a switch need neither sockets nor waiting.

    with VirtualLoop() as loop: ...   # or `virtual_run(main())`
    caller = VirtualParty([("after_ms", 300), ("press", "1"), ("hangup",)])
    caller.call(switch, number="+420601234567", to="100")
    maker = VirtualLegMaker({"agent1": lambda: VirtualParty([("ring",), ("after_ms", 400), ("answer",)])})

A script's steps: `("after_ms", n)`, `("press", "12#")`, `("say_ms", n)`, `("hangup",)`, `("wait_answer",)` for callers;
`("ring",)`, `("early",)`, `("answer",)`, `("refuse", cause)`, `("hold",)`, `("unhold",)` for the called. Afterwards a
party stays on the line in silence.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from labswitch.leg import NO_EXTRAS, SILENCE, DialError, Extras, Invitation, LegEnd, LegListener
from labswitch.sound import open_sound
from labswitch.switch import Streams, Switch

T = TypeVar("T")
Step = tuple[Any, ...]

KEEP_FRAMES = 15000
"""How much a party remembers of what it heard: five minutes."""

_VOICE_HZ = 440
_SIP_CODES = {"USER_BUSY": 486, "NO_ANSWER": 480, "CALL_REJECTED": 603, "NORMAL_TEMPORARY_FAILURE": 503}


class _JumpingSelector:
    """Asks the real selector without waiting; where it would wait, lets the loop's time jump instead."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._real = selectors.DefaultSelector()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready:
            return ready
        if timeout is None:
            # No timer is left: only something outside, such as another thread, can go on.
            return self._real.select(None)
        self._advance(max(0.0, timeout))
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs only when nothing else is to be done.

    Local sockets work on it (`local_pair`), as their data is there as soon as it is sent. Nothing that answers
    later, such as another process, does.
    """

    def __init__(self) -> None:
        self._virtual_now = 0.0
        super().__init__(_JumpingSelector(self._advance))  # type: ignore[arg-type]

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_now

    def _advance(self, seconds: float) -> None:
        self._virtual_now += seconds


def virtual_run(main: Coroutine[Any, Any, T], limit_s: float = 600) -> T:
    """Run `main` in virtual time. Raises TimeoutError after `limit_s` virtual seconds."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_limited(main, limit_s))


async def _limited(main: Coroutine[Any, Any, T], limit_s: float) -> T:
    return await asyncio.wait_for(main, limit_s)


async def local_pair() -> tuple[Streams, Streams]:
    """Two ends of a connection within this process."""
    here, there = socket.socketpair()
    return await asyncio.open_connection(sock=here), await asyncio.open_connection(sock=there)


class _Nobody:
    """The listener of a party that no channel has taken."""

    def on_ringing(self) -> None: ...
    def on_early_media(self) -> None: ...
    def on_answered(self) -> None: ...
    def on_dtmf(self, digit: str, duration_ms: int, source: str) -> None: ...
    def on_hold(self, held: bool) -> None: ...
    def on_ended(self, end: LegEnd) -> None: ...


class VirtualParty:
    """Somebody on the phone, who follows a script. A `labswitch.leg.Leg`."""

    def __init__(self, script: Iterable[Step] = ()) -> None:
        self.listener: LegListener = _Nobody()
        self.script = tuple(script)
        self.heard: list[bytes] = []
        """Every frame that the switch sent, in order."""
        self.keys_heard = ""
        self.end: LegEnd | None = None
        self.answered = asyncio.Event()
        self.incoming = True
        self._speaks_frames = 0
        self._voice = open_sound(f"tone_stream://%(1000,0,{_VOICE_HZ});loops=-1", Path())
        self._task: asyncio.Task[None] | None = None

    # -- being called, calling ---------------------------------------------------------------------------------

    def call(self, switch: Switch, number: str = "601234567", to: str = "100", **details: Any) -> str | None:
        """Call the switch; the uuid of the channel, None when the switch has no room. `details` as in `Invitation`."""
        given = {
            "call_id": f"virtual-{id(self)}",
            "from_user": number,
            "from_display": "",
            "from_host": "127.0.0.1",
            "from_port": 5066,
            "to_user": to,
            "to_host": "127.0.0.1",
            "to_port": 5080,
            "network_ip": "127.0.0.1",
            "network_port": 5066,
            "contact_uri": "sip:caller@127.0.0.1:5066",
            "profile": "external",
        }
        channel = switch.incoming(Invitation(**{**given, **details}), self)
        if channel is None:
            return None
        self._start()
        return channel.uuid

    def be_called(self, listener: LegListener) -> None:
        """Ring, answer or refuse, as the script says."""
        self.incoming = False
        self.listener = listener
        self._start()

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        for step in self.script:
            if self.end is not None:
                return
            await self._step(*step)

    async def _step(self, what: str, value: Any = None) -> None:
        match what:
            case "after_ms":
                await asyncio.sleep(value / 1000)
            case "wait_answer":
                await self.answered.wait()
            case "press":
                for key in str(value):
                    self.listener.on_dtmf(key, 100, "rfc2833")
            case "say_ms":
                self._speaks_frames = value // 20
            case "hangup":
                self._leave()
            case "ring":
                self.listener.on_ringing()
            case "early":
                self.listener.on_early_media()
            case "answer":
                self.answered.set()
                self.listener.on_answered()
            case "refuse":
                self._over(LegEnd(value, "recv_refuse", _SIP_CODES.get(value, 500)))
            case "hold" | "unhold":
                self.listener.on_hold(what == "hold")
            case _:
                raise ValueError(f"unknown step {what!r}")

    def _leave(self) -> None:
        """The party itself hangs up or gives up."""
        if self.answered.is_set():
            self._over(LegEnd("NORMAL_CLEARING", "recv_bye", 200))
        else:
            self._over(LegEnd("ORIGINATOR_CANCEL", "recv_cancel", 487))

    def _over(self, end: LegEnd) -> None:
        if self.end is None:
            self.end = end
            self.answered.set()
            self.listener.on_ended(end)

    # -- labswitch.leg.Leg -------------------------------------------------------------------------------------

    def ring(self) -> None:
        """Nothing to do: the party waits anyway."""

    def early_media(self) -> None:
        """Nothing to do."""

    def answer(self) -> None:
        """The switch answers the call."""
        if not self.answered.is_set():
            self.answered.set()
            asyncio.get_running_loop().call_soon(self.listener.on_answered)

    def hangup(self, cause: str) -> None:
        """The switch ends the call."""
        if self.end is None:
            way = "send_bye" if self.answered.is_set() else "send_refuse" if self.incoming else "send_cancel"
            self.end = LegEnd(cause, way)
            self.answered.set()
            asyncio.get_running_loop().call_soon(self.listener.on_ended, self.end)

    def read(self) -> bytes:
        """The party's voice while it says something, else silence."""
        if self._speaks_frames <= 0:
            return SILENCE
        self._speaks_frames -= 1
        return self._voice.read() or SILENCE

    def write(self, frame: bytes) -> None:
        """The party hears this."""
        if len(self.heard) < KEEP_FRAMES:
            self.heard.append(frame)

    def send_dtmf(self, digit: str, duration_ms: int = 100) -> None:
        """The party hears a key."""
        self.keys_heard += digit


Behaviour = Callable[[], VirtualParty]


class VirtualLegMaker:
    """Makes called parties by address, the part of a dial string after its last `/`, or by the user in it alone.

    A name that nobody was given behaves as an address where nobody listens.
    """

    def __init__(self, parties: Mapping[str, Behaviour] | None = None) -> None:
        self.parties = dict(parties or {})
        self.gateways: set[str] = set()
        self.called: list[tuple[str, str, VirtualParty]] = []
        """Target, caller's number, who was called."""

    def dial(
        self,
        target: str,
        caller_id_number: str,
        caller_id_name: str,
        listener: LegListener,
        extras: Extras = NO_EXTRAS,
    ) -> VirtualParty:
        """A party for the target. Raises `DialError` as SIP would."""
        kind, _, rest = target.partition("/")
        if kind != "sofia":
            raise DialError("CHAN_NOT_IMPLEMENTED", target)
        words = rest.split("/")
        if words[0] == "gateway" and words[1] not in self.gateways:
            raise DialError("INVALID_GATEWAY", target)
        user = words[-1].split("@")[0].split("%")[0]
        behaviour = self.parties.get(words[-1]) or self.parties.get(user)
        if behaviour is None and "%" in words[-1]:
            raise DialError("USER_NOT_REGISTERED", target)
        nobody = VirtualParty([("after_ms", 1), ("refuse", "NORMAL_TEMPORARY_FAILURE")])
        party = behaviour() if behaviour is not None else nobody
        self.called.append((target, caller_id_number, party))
        party.be_called(listener)
        return party
