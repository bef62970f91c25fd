"""The lab's SIP phones: play callers and agents in the demo, in tests and by hand.

A `Phone` is for plain synchronous programs: what waits blocks, with a deadline, and nothing polls. All phones of a
process share one thread with the SIP stack and one 20 ms beat. Not for a process that gevent has patched: there, run
`python -m labswitch.phone` beside it.

    with Phone("caller", "127.0.0.1", domain="127.0.0.1") as phone:
        call = phone.call("100", to=("127.0.0.1", 5080))
        call.wait_answered(5)
        call.press("1")
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labswitch import sdp
from labswitch.phone_call import CallOver, PhoneCall, PhoneTimeout
from labswitch.phone_line import Key, Line, PhoneEnd
from labswitch.phone_registration import Registering
from labswitch.rtp import PortRange
from labswitch.sip_causes import phrase_of, sip_answer_of
from labswitch.sip_dialog import Caller, Target
from labswitch.sip_headers import Headers, parse_address
from labswitch.sip_manners import Manners
from labswitch.sip_thread import SipThread
from labswitch.sip_transport import SipEndpoint, received_text

__all__ = ["Behaviour", "CallOver", "Key", "Phone", "PhoneCall", "PhoneEnd", "PhoneTimeout", "RegistrationFailed"]

log = logging.getLogger(__name__)

USER_AGENT = "callwright-phone"
REGISTER_TIMEOUT_S = 10.0


class RegistrationFailed(Exception):
    """The registrar said no, or nothing (408)."""

    def __init__(self, sip_code: int) -> None:
        super().__init__(f"REGISTER: {sip_code} {phrase_of(sip_code)}")
        self.sip_code = sip_code


@dataclass(frozen=True)
class Behaviour:
    """What a phone does with a call that comes in."""

    answer_after_s: float | None = None
    """None: it rings until somebody takes it (`PhoneCall.answer`) or the caller gives up."""
    rings: bool = True
    refuse: str | None = None
    """The cause with which every call is refused at once: `USER_BUSY` (486), `CALL_REJECTED` (603), …"""
    tone_hz: float | None = None
    """What it says once the call is up; None is silence."""
    hangup_after_s: float | None = None
    """How long after the answer it hangs up by itself."""
    auto_answer: bool = False
    """Answers by itself, and without ringing first, a call that asks for it (`Call-Info`, `Answer-Mode`)."""

    @classmethod
    def answering(
        cls, after_s: float = 0.0, tone_hz: float | None = None, hangup_after_s: float | None = None
    ) -> Behaviour:
        """Answers, and talks in a tone."""
        return cls(answer_after_s=after_s, tone_hz=tone_hz, hangup_after_s=hangup_after_s)

    @classmethod
    def auto_answering(cls, tone_hz: float | None = None) -> Behaviour:
        """Answers at once where the call asks for it, and rings for ever where it does not."""
        return cls(auto_answer=True, tone_hz=tone_hz)

    @classmethod
    def busy(cls) -> Behaviour:
        """486 to everybody."""
        return cls(refuse="USER_BUSY")

    @classmethod
    def reject(cls) -> Behaviour:
        """603 to everybody."""
        return cls(refuse="CALL_REJECTED")

    @classmethod
    def silent(cls) -> Behaviour:
        """Rings for ever; for calls that the test answers itself, or that nobody does."""
        return cls()


class Phone:
    """One SIP phone with an address of its own. Close it, or use it as a context manager."""

    def __init__(
        self,
        user: str,
        ip: str = "127.0.0.1",
        port: int = 0,
        *,
        domain: str,
        registrar: tuple[str, int] | None = None,
        password: str | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        """Port 0 lets the system choose. `password` also answers the challenge to a call. Raises OSError when the
        port is in use."""
        self.user = user
        self.domain = domain
        self.behaviour = behaviour or Behaviour.silent()
        """What to do with the next call that comes in; may be set at any time."""
        self._password = password
        self._registrar = registrar
        self._ports = PortRange()
        self._lines: set[Line] = set()
        self._incoming: queue.Queue[PhoneCall] = queue.Queue()
        self._refresh: Any = None
        self._registered = False
        self._thread = SipThread.get()
        self._endpoint: SipEndpoint = self._thread.run(SipEndpoint, ip, port, self._request, Manners(USER_AGENT))
        self._registering: Registering | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the phone hears SIP."""
        return self._endpoint.address

    @property
    def registered(self) -> bool:
        """Whether the phone keeps a registration up."""
        return self._registered

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up every call and free the port. Doesn't unregister."""
        self._thread.run(self._close)

    # -- registering

    def register(self, timeout_s: float = REGISTER_TIMEOUT_S, expires_s: int = 3600) -> None:
        """Register with the registrar, and keep it up until `close`. Raises `RegistrationFailed`."""
        self._register(expires_s, timeout_s)
        self._registered = True
        self._thread.run(self._keep_registered, expires_s)

    def unregister(self, timeout_s: float = REGISTER_TIMEOUT_S) -> None:
        """End the registration. Raises `RegistrationFailed`."""
        self._registered = False
        self._register(0, timeout_s)

    # -- calling

    def call(
        self,
        number: str,
        to: tuple[str, int] | None = None,
        *,
        caller_name: str = "",
        caller_number: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        codecs: tuple[str, ...] = ("PCMA", "PCMU"),
    ) -> PhoneCall:
        """Call `number` at `to` (the registrar, when not given) as `caller_number` (the phone's user). Returns at once;
        `headers` are added to the INVITE."""
        target = to or self._registrar
        if target is None:
            raise ValueError("no address to call, and no registrar")
        caller = Caller(
            number=self.user if caller_number is None else caller_number,
            name=caller_name,
            host=self.domain,
            auth_user=self.user,
            password=self._password,
            headers=headers,
        )
        line = self._thread.run(self._call, caller, Target(number, target), codecs)
        return PhoneCall(line, number, caller.number, caller_name)

    def wait_call(self, timeout_s: float) -> PhoneCall:
        """The next call that came in and wasn't refused. Raises `PhoneTimeout`."""
        try:
            return self._incoming.get(timeout=timeout_s)
        except queue.Empty:
            raise PhoneTimeout(f"{self.user}: no call within {timeout_s} s") from None

    # -- inside, on the caller's thread

    def _register(self, expires_s: int, timeout_s: float) -> None:
        if self._registrar is None:
            raise ValueError("no registrar")
        if self._registering is None:
            self._registering = Registering(self._endpoint, self.user, self.domain, self._registrar, self._password)
        code: list[int] = []
        finished = threading.Event()

        def done(sip_code: int) -> None:
            code.append(sip_code)
            finished.set()

        self._thread.post(self._registering.send, expires_s, done)
        if not finished.wait(timeout_s):
            raise RegistrationFailed(408)
        if code[0] >= 300:
            raise RegistrationFailed(code[0])

    # -- inside, on the SIP thread

    def _keep_registered(self, expires_s: int) -> None:
        def refresh() -> None:
            if self._registered and self._registering is not None:
                self._registering.send(expires_s, lambda code: None)
                self._keep_registered(expires_s)

        self._refresh = self._thread.loop.call_later(expires_s / 2, self._thread.enter, refresh)

    def _call(self, caller: Caller, target: Target, codecs: tuple[str, ...]) -> Line:
        line = self._new_line()
        line.call(caller, target, codecs)
        return line

    def _new_line(self) -> Line:
        line = Line(self._endpoint, self._ports)
        self._lines.add(line)
        line.on_end = lambda: self._lines.discard(line)
        return line

    def _close(self) -> None:
        self._registered = False
        if self._refresh is not None:
            self._refresh.cancel()
        for line in list(self._lines):
            line.hangup("NORMAL_CLEARING")
        self._endpoint.close()

    def _request(self, request: Any, transaction: Any) -> Any:
        """Answers a request outside of any call we know."""
        method = request.getMethod()
        if method == "INVITE" and request.getHFBody("to").getTag() is None:
            return self._invite(request, transaction)
        manners = self._endpoint.manners
        code = 481 if request.getHFBody("to").getTag() is not None else 200 if method == "OPTIONS" else 501
        return manners.answer(request, f"{code} {phrase_of(code)}", manners.allow), None, None

    def _invite(self, request: Any, transaction: Any) -> Any:
        behaviour = self.behaviour
        if behaviour.refuse is not None:
            code = sip_answer_of(behaviour.refuse)
            return request.genResponse(code, phrase_of(code), server=USER_AGENT), None, None
        try:
            offer = sdp.parse(str(request.getBody() or ""))
        except sdp.SdpError:
            return request.genResponse(488, phrase_of(488), server=USER_AGENT), None, None
        headers = Headers(self._endpoint.current_text)
        caller, answer_after_s = headers.address("from"), headers.answer_after_s()
        called = parse_address(received_text(request.getRURI().original_uri))
        line = self._new_line()
        try:
            result = line.take(request, transaction, offer)
        except Exception as error:  # noqa: BLE001 - as in labswitch.sip
            log.info("INVITE not understood: %r", error)
            self._lines.discard(line)
            line.discard()
            return request.genResponse(400, phrase_of(400)), None, None
        if behaviour.auto_answer and answer_after_s is not None:
            behaviour = replace(behaviour, answer_after_s=answer_after_s, rings=False)
        self._behave(line, behaviour)
        self._incoming.put(PhoneCall(line, called.user, caller.user, caller.display, headers))
        return result

    def _behave(self, line: Line, behaviour: Behaviour) -> None:
        def answered() -> None:
            line.mouth.say(behaviour.tone_hz)
            if behaviour.hangup_after_s is not None:
                self._later(behaviour.hangup_after_s, lambda: line.hangup("NORMAL_CLEARING"))

        line.on_answered = answered
        if behaviour.rings:
            # The answer to the INVITE must be on its way before anything else is said about it.
            self._thread.loop.call_soon(self._thread.enter, line.dialog.ring)
        if behaviour.answer_after_s is not None:
            self._later(behaviour.answer_after_s, line.answer)

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self._thread.loop.call_later(seconds, self._thread.enter, action)


if __name__ == "__main__":
    from labswitch.phone_cli import main

    raise SystemExit(main())
