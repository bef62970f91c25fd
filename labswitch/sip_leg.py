"""A `Leg` made of a SIP dialog and an RTP stream.

The dialog lives on the SIP thread, the leg and its media on the switch's loop; each calls the other by posting.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

from labswitch import leg, sdp
from labswitch.rtp import PortRange, RtpSession
from labswitch.sip_causes import sip_answer_of
from labswitch.sip_dialog import Caller, Dialog, DialogEnd, Target
from labswitch.sip_thread import SipThread
from labswitch.sip_transport import SipEndpoint

log = logging.getLogger(__name__)

_SHUTDOWN = "SYSTEM_SHUTDOWN"
_INFO_DIGIT = re.compile(r"^\s*Signal\s*=\s*(1[01]|[0-9*#A-D])\s*$", re.MULTILINE | re.IGNORECASE)
_INFO_DURATION = re.compile(r"^\s*Duration\s*=\s*(\d{1,5})", re.MULTILINE | re.IGNORECASE)
_INFO_NAMES = {"10": "*", "11": "#"}
INFO_DEFAULT_MS = 100


class _Deaf:
    """The listener of a leg that nobody has taken yet."""

    def on_ringing(self) -> None: ...
    def on_early_media(self) -> None: ...
    def on_answered(self) -> None: ...
    def on_dtmf(self, digit: str, duration_ms: int, source: str) -> None: ...
    def on_hold(self, held: bool) -> None: ...
    def on_ended(self, end: leg.LegEnd) -> None: ...


class SipLeg:
    """One party on the phone; implements `labswitch.leg.Leg`.

    May be made on any thread; all methods belong on the switch's loop, `open` before any other.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, endpoint: SipEndpoint, ports: PortRange, listener: leg.LegListener | None
    ) -> None:
        """Raises `labswitch.rtp.NoFreePort`."""
        self.listener: leg.LegListener = listener or _Deaf()
        self._loop = loop
        self._thread = SipThread.get()
        self._rtp = RtpSession(loop, endpoint.address[0], ports, self._rtp_digit)
        self._dialog = Dialog(endpoint, _DialogEvents(self, loop), gives_reason=True)
        self._remote: sdp.AudioMedia | None = None
        self._sdp_version = 1
        self._media_on = False
        self._held = False
        self._hangup_sent = False
        self._over = False
        self.on_over: Callable[[], None] = lambda: None

    # -- labswitch.leg.Leg

    def ring(self) -> None:
        """180 Ringing towards a caller."""
        self._thread.post(self._dialog.ring)

    def early_media(self) -> None:
        """183 with SDP towards a caller; audio flows from now on."""
        if not self._over:
            self._media_on = True
            self._thread.post(self._dialog.early, self._answer_sdp())

    def answer(self) -> None:
        """200 with SDP towards a caller; `on_answered` follows the ACK."""
        if not self._over:
            self._media_on = True
            self._thread.post(self._dialog.answer, self._answer_sdp())

    def hangup(self, cause: str) -> None:
        """BYE, CANCEL or a final answer that fits `cause`; `on_ended` follows. A second one does nothing."""
        if not self._over and not self._hangup_sent:
            self._hangup_sent = True
            self._thread.post(self._dialog.hangup, cause, sip_answer_of(cause))

    def read(self) -> bytes:
        """The next frame heard from the party."""
        return self._rtp.read() if not self._over else leg.SILENCE

    def write(self, frame: bytes) -> None:
        """Send one frame to the party; dropped before media is agreed on."""
        if self._media_on and not self._over:
            self._rtp.write(frame)

    def send_dtmf(self, digit: str, duration_ms: int = 100) -> None:
        """One key towards the party, as RFC 2833 events. Raises ValueError for what isn't a key."""
        if self._media_on and not self._over:
            self._rtp.send_dtmf(digit, duration_ms)

    # -- beginning

    @property
    def dialog(self) -> Dialog:
        """For `labswitch.sip` alone."""
        return self._dialog

    def open(self, offer: sdp.AudioMedia | None = None) -> None:
        """Begin to hear; `offer` is what the caller of an incoming leg proposed."""
        self._rtp.start()
        if offer is not None:
            self._remote = offer
            self._rtp.connect(offer)

    def discard(self) -> None:
        """Free the media of a leg that never began; on any thread."""
        self._over = True
        self._rtp.close()
        self.on_over()

    def shut_down(self) -> None:
        """Hang up for a switch that goes away; when this returns it is done."""
        self._thread.run(self._dialog.hangup, _SHUTDOWN, sip_answer_of(_SHUTDOWN))
        self.dialog_ended(DialogEnd(_SHUTDOWN, "send_bye", None))

    def call(self, caller: Caller, target: Target) -> None:
        """Send the INVITE of an outgoing leg."""
        offer = sdp.offer(self._rtp.ip, self._rtp.port)
        self._thread.post(self._dialog.call, caller, target, offer)

    # -- what the dialog tells, on the switch's loop

    def agreed(self, remote_sdp: str) -> bool:
        """The called party's answer. On one that we can't speak the call is ended."""
        try:
            self._remote = sdp.parse(remote_sdp)
        except sdp.SdpError as error:
            log.info("unusable answer: %s", error)
            self.hangup("INCOMPATIBLE_DESTINATION")
            return False
        if not self._over:
            self._rtp.connect(self._remote)
            self._media_on = True
        return True

    def dialog_early_media(self, remote_sdp: str) -> None:
        if self.agreed(remote_sdp):
            self.listener.on_early_media()

    def dialog_answered(self, remote_sdp: str | None) -> None:
        if self._over or (remote_sdp is not None and not self.agreed(remote_sdp)):
            return
        self.listener.on_answered()

    def dialog_offered_again(self, remote: sdp.AudioMedia) -> None:
        if self._over:
            return
        self._remote = remote
        self._rtp.connect(remote)
        if remote.on_hold != self._held:
            self._held = remote.on_hold
            self.listener.on_hold(self._held)

    def dialog_digit(self, digit: str, duration_ms: int) -> None:
        if not self._over:
            self.listener.on_dtmf(digit, duration_ms, "info")

    def dialog_ended(self, end: DialogEnd) -> None:
        if self._over:
            return
        self._over = True
        self._rtp.close()
        self.on_over()
        self.listener.on_ended(leg.LegEnd(end.cause, end.disposition, end.sip_code))

    def next_answer(self, remote: sdp.AudioMedia) -> str:
        """Our answer to a re-INVITE; on the SIP thread, where nothing else changes the version."""
        self._sdp_version += 1
        return sdp.answer_to(remote, self._rtp.ip, self._rtp.port, self._sdp_version)

    def _answer_sdp(self) -> str:
        assert self._remote is not None
        return sdp.answer_to(self._remote, self._rtp.ip, self._rtp.port, self._sdp_version)

    def _rtp_digit(self, digit: str, duration_ms: int) -> None:
        if not self._over:
            self.listener.on_dtmf(digit, duration_ms, "rfc2833")


class _DialogEvents:
    """A dialog's listener on the SIP thread, posting to the leg's loop."""

    def __init__(self, owner: SipLeg, loop: asyncio.AbstractEventLoop) -> None:
        self._leg = owner
        self._loop = loop

    def ringing(self) -> None:
        self._post(self._ringing)

    def early_media_offered(self, remote_sdp: str) -> None:
        self._post(self._leg.dialog_early_media, remote_sdp)

    def answered(self, remote_sdp: str | None) -> None:
        self._post(self._leg.dialog_answered, remote_sdp)

    def offered_again(self, remote_sdp: str) -> str | None:
        try:
            remote = sdp.parse(remote_sdp)
        except sdp.SdpError:
            return None
        self._post(self._leg.dialog_offered_again, remote)
        return self._leg.next_answer(remote)

    def offer_accepted(self, remote_sdp: str | None) -> None:
        """The switch sends no re-INVITE of its own."""

    def info(self, content_type: str, body: str) -> None:
        found = parse_info_digit(content_type, body)
        if found is not None:
            self._post(self._leg.dialog_digit, *found)

    def ended(self, end: DialogEnd) -> None:
        self._post(self._leg.dialog_ended, end)

    def _ringing(self) -> None:
        self._leg.listener.on_ringing()

    def _post(self, function: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)


def parse_info_digit(content_type: str, body: str) -> tuple[str, int] | None:
    """Key and duration in ms of an INFO body (`application/dtmf-relay`, `application/dtmf`), None if there is none."""
    if content_type == "application/dtmf":
        digit = body.strip().upper()
        return (digit, INFO_DEFAULT_MS) if re.fullmatch(r"[0-9*#A-D]", digit) else None
    found = _INFO_DIGIT.search(body) if content_type == "application/dtmf-relay" else None
    if found is None:
        return None
    duration = _INFO_DURATION.search(body)
    digit = _INFO_NAMES.get(found[1], found[1].upper())
    return digit, int(duration[1]) if duration else INFO_DEFAULT_MS
