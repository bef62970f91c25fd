"""The working part of a phone's call: dialog, media and what happened so far. All methods on the SIP thread.

`PhoneCall` is the face of it for other threads; what it reads is changed under `changed` and announced there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labswitch import sdp
from labswitch.phone_media import MediaBeat, Mouth
from labswitch.rtp import PortRange, RtpSession
from labswitch.sip_causes import sip_answer_of
from labswitch.sip_dialog import Caller, Dialog, DialogEnd, Target
from labswitch.sip_leg import parse_info_digit
from labswitch.sip_thread import SipThread
from labswitch.sip_transport import SipEndpoint

_FRAMES_PER_NOTICE = 5


@dataclass(frozen=True)
class PhoneEnd:
    """How a call ended. `by` is "us" (this phone) or "them"."""

    by: str
    sip_code: int | None
    cause: str
    disposition: str


@dataclass(frozen=True)
class Key:
    """A key that the other side pressed; `source` is `rfc2833` or `info`."""

    digit: str
    duration_ms: int
    source: str


class Line:
    """One call of a phone; the listener of its dialog."""

    def __init__(self, endpoint: SipEndpoint, ports: PortRange) -> None:
        self.changed = threading.Condition()
        self.rings = False
        self.early_media = False
        self.up = False
        self.held_by_them = False
        self.keys: list[Key] = []
        self.end: PhoneEnd | None = None
        self.reoffers_accepted = 0
        self.reoffers_refused = 0
        self.heard = bytearray()
        self.mouth = Mouth()
        self.on_answered: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self.dialog = Dialog(endpoint, self)
        self.rtp = RtpSession(SipThread.get().loop, endpoint.address[0], ports, self._rtp_key)
        self.rtp.start()
        self._offer: sdp.AudioMedia | None = None
        self._version = 1
        self._ticks = 0

    # -- doing

    def call(self, caller: Caller, target: Target, codecs: tuple[str, ...]) -> None:
        """Send the INVITE."""
        self.dialog.call(caller, target, sdp.offer(self.rtp.ip, self.rtp.port, codecs=codecs))

    def take(self, request: Any, transaction: Any, offer: sdp.AudioMedia) -> Any:
        """Take an incoming INVITE. Raises ValueError as `Dialog.receive`."""
        self._offer = offer
        return self.dialog.receive(request, transaction)

    def early(self) -> None:
        """Let an incoming call's caller hear us before the answer (183)."""
        if self._offer is not None and self.end is None:
            self.dialog.early(sdp.answer_to(self._offer, self.rtp.ip, self.rtp.port))
            self._media(self._offer)

    def answer(self) -> None:
        """Take an incoming call."""
        if self._offer is not None and self.end is None:
            self.dialog.answer(sdp.answer_to(self._offer, self.rtp.ip, self.rtp.port))
            self._media(self._offer)

    def hangup(self, cause: str, sip_code: int | None = None) -> None:
        """End the call; before the answer with `sip_code` or what fits `cause`."""
        self.dialog.hangup(cause, sip_code or sip_answer_of(cause))

    def reoffer(self, direction: str) -> bool:
        """A re-INVITE; False when the call isn't up or another one is under way."""
        self._version += 1
        return self.dialog.reoffer(sdp.offer(self.rtp.ip, self.rtp.port, self._version, direction))

    def say(self, hz: float | None, frames: int | None = None, done: Callable[[], None] | None = None) -> None:
        """As `Mouth.say`; on a call that is over `done` is called at once."""
        if self.end is None:
            self.mouth.say(hz, frames, done)
        elif done is not None:
            done()

    def press(self, digit: str, duration_ms: int, done: Callable[[], None]) -> bool:
        """Send one key; False when the other side hasn't agreed on telephone events."""
        if self.end is None and not self.rtp.takes_keys:
            return False
        self.rtp.send_dtmf(digit, duration_ms, done)
        return True

    def discard(self) -> None:
        """Free the port of a call that never began."""
        self.rtp.close()

    # -- labswitch.sip_dialog.DialogListener

    def ringing(self) -> None:
        self._note(rings=True)

    def answered(self, remote_sdp: str | None) -> None:
        if remote_sdp is not None and not self._agreed(remote_sdp):
            return
        self._note(up=True)
        self.on_answered()

    def early_media_offered(self, remote_sdp: str) -> None:
        if self._agreed(remote_sdp):
            self._note(early_media=True)

    def offered_again(self, remote_sdp: str) -> str | None:
        try:
            remote = sdp.parse(remote_sdp)
        except sdp.SdpError:
            return None
        self.rtp.connect(remote)
        self._note(held_by_them=remote.on_hold)
        self._version += 1
        return sdp.answer_to(remote, self.rtp.ip, self.rtp.port, self._version)

    def offer_accepted(self, remote_sdp: str | None) -> None:
        if remote_sdp is not None and self._agreed(remote_sdp):
            self._note(reoffers_accepted=self.reoffers_accepted + 1)
        else:
            self._note(reoffers_refused=self.reoffers_refused + 1)

    def info(self, content_type: str, body: str) -> None:
        found = parse_info_digit(content_type, body)
        if found is not None:
            self._key(Key(*found, "info"))

    def ended(self, end: DialogEnd) -> None:
        MediaBeat.get().remove(self)
        self.mouth.say(None)
        self.rtp.close()
        self._note(end=PhoneEnd("us" if end.by_us else "them", end.sip_code, end.cause, end.disposition))
        self.on_end()

    # -- inside

    def _agreed(self, remote_sdp: str) -> bool:
        try:
            remote = sdp.parse(remote_sdp)
        except sdp.SdpError:
            self.hangup("INCOMPATIBLE_DESTINATION")
            return False
        self._media(remote)
        return True

    def _media(self, remote: sdp.AudioMedia) -> None:
        self.rtp.connect(remote)
        MediaBeat.get().add(self, self._tick)

    def _tick(self) -> None:
        self.heard += self.rtp.read()
        self.rtp.write(self.mouth.frame())
        self._ticks += 1
        if self._ticks % _FRAMES_PER_NOTICE == 0:
            with self.changed:
                self.changed.notify_all()

    def _rtp_key(self, digit: str, duration_ms: int) -> None:
        self._key(Key(digit, duration_ms, "rfc2833"))

    def _key(self, key: Key) -> None:
        with self.changed:
            self.keys.append(key)
            self.changed.notify_all()

    def _note(self, **changes: Any) -> None:
        with self.changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self.changed.notify_all()
