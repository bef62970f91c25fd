"""The seam inside the lab switch: a leg is one party of a call, whoever plays it.

`labswitch.sip` makes legs of SIP dialogs with RTP, `labswitch.virtual` of scripted parties
without a network. Channels (`labswitch.channel`) know nothing but this page.

Everything here runs on one asyncio loop; a `Leg` may own threads, but calls its listener on the loop only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

FRAME_MS = 20
FRAME_SAMPLES = 160
"""Samples of one frame: 20 ms of 16-bit linear PCM, mono, at 8 kHz, native byte order (320 bytes)."""

SILENCE = bytes(2 * FRAME_SAMPLES)


@dataclass(frozen=True)
class Invitation:
    """What a SIP INVITE said about the caller and the called, as received, nothing decoded or trusted.

    Text is UTF-8; bytes that aren't stand in it as lone surrogates (`surrogateescape`).
    """

    call_id: str
    from_user: str
    from_display: str
    from_host: str
    from_port: int
    to_user: str
    to_host: str
    to_port: int
    network_ip: str
    network_port: int
    user_agent: str = ""
    contact_uri: str = ""
    remote_sdp: str = ""
    codec: str = "PCMA"
    profile: str = "internal"
    """The SIP profile (`external` for trunks, `internal` for agents) on which it came."""
    authenticated_user: str | None = None
    """The directory user that passed digest authentication, None on a trunk."""
    headers: tuple[tuple[str, str], ...] = field(default=())
    """Every header whose name begins with `X-`, in order."""


@dataclass(frozen=True)
class LegEnd:
    """How a leg ended. `cause` is in FreeSWITCH's spelling (`NORMAL_CLEARING`, `USER_BUSY`, …)."""

    cause: str
    disposition: str
    """FreeSWITCH's `sip_hangup_disposition`: recv_bye, send_bye, recv_cancel, send_cancel, recv_refuse, send_refuse."""
    sip_code: int | None = None


@dataclass(frozen=True)
class Registration:
    """A phone of a user of the directory, as it registered."""

    user: str
    contact_user: str
    address: tuple[str, int]
    """Where it can be called."""
    user_agent: str
    call_id: str
    expires_s: int
    """0 where it went."""
    expires_at_s: float
    """On `time.monotonic`."""

    @property
    def contact(self) -> str:
        """Its address as a URI."""
        return f"sip:{self.contact_user}@{self.address[0]}:{self.address[1]}"

    def expires_at_epoch_s(self) -> int:
        """When it ends, by the clock on the wall."""
        return int(time.time() + self.expires_at_s - time.monotonic())


@dataclass(frozen=True)
class Extras:
    """What an INVITE of ours carries beyond the usual."""

    headers: tuple[tuple[str, str], ...] = ()
    uri_parameters: tuple[str, ...] = ()
    """Of the address that is called: `name=value`."""


NO_EXTRAS = Extras()


class LegListener(Protocol):
    """What a leg tells its channel."""

    def on_ringing(self) -> None: ...
    def on_early_media(self) -> None: ...
    def on_answered(self) -> None: ...
    def on_dtmf(self, digit: str, duration_ms: int, source: str) -> None:
        """One key: `0`-`9`, `*`, `#`, `A`-`D`. `source` is `rfc2833` or `info`."""

    def on_hold(self, held: bool) -> None: ...
    def on_ended(self, end: LegEnd) -> None:
        """Called exactly once, whoever ended the leg, also after `hangup`."""


class Leg(Protocol):
    """One party. All methods return at once; what happens is told to the listener."""

    listener: LegListener

    def ring(self) -> None:
        """180 Ringing towards a caller."""

    def early_media(self) -> None:
        """183 with SDP towards a caller; audio flows from now on."""

    def answer(self) -> None:
        """200 with SDP towards a caller; `on_answered` follows the ACK."""

    def hangup(self, cause: str) -> None:
        """End the leg in whatever state it is: BYE, CANCEL or a final answer that fits `cause`."""

    def read(self) -> bytes:
        """The next frame heard from the party (jitter buffer applied), `SILENCE` where there is none."""

    def write(self, frame: bytes) -> None:
        """Send one frame to the party; called every 20 ms while the channel has something to say."""

    def send_dtmf(self, digit: str, duration_ms: int = 100) -> None:
        """One key towards the party, as RFC 2833 events."""


class LegMaker(Protocol):
    """Makes outgoing legs for dial strings such as `sofia/external/100@127.0.0.1:5090`,
    `sofia/internal/alice%example.org` (registered user) or `sofia/gateway/<name>/<number>`."""

    def dial(
        self,
        target: str,
        caller_id_number: str,
        caller_id_name: str,
        listener: LegListener,
        extras: Extras = NO_EXTRAS,
    ) -> Leg:
        """Start an outgoing leg. Raises `DialError` when the target can't be called at all."""


class DialError(Exception):
    """The target can't be called. `cause`: `USER_NOT_REGISTERED`, `INVALID_GATEWAY`, `CHAN_NOT_IMPLEMENTED`, …"""

    def __init__(self, cause: str, target: str) -> None:
        super().__init__(f"{target}: {cause}")
        self.cause = cause
        self.target = target
