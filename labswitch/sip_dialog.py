"""One SIP call on sippy's user agent: who called whom, how it goes, how it ended. Runs on the SIP thread.

`SipLeg` (the switch's side) and `PhoneCall` (a phone's side) both stand on this. sippy's events become the few calls of
`DialogListener`; `ended` comes exactly once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sippy.CCEvents import (
    CCEventConnect,
    CCEventDisconnect,
    CCEventFail,
    CCEventInfo,
    CCEventPreConnect,
    CCEventRedirect,
    CCEventRing,
    CCEventTry,
    CCEventUpdate,
)
from sippy.MsgBody import MsgBody
from sippy.SipContact import SipContact
from sippy.SipContentType import SipContentType
from sippy.SipHeader import SipHeader
from sippy.SipReason import SipReason
from sippy.UA import UA

from labswitch.sip_causes import cause_of_q850, cause_of_sip, phrase_of, reason_of
from labswitch.sip_transport import SipEndpoint, wire_text

log = logging.getLogger(__name__)

_AUDIO_PORT = re.compile(r"(?m)^m=audio \d+")


@dataclass(frozen=True)
class DialogEnd:
    """How a call ended. `disposition` as FreeSWITCH's `sip_hangup_disposition`."""

    cause: str
    disposition: str
    sip_code: int | None

    @property
    def by_us(self) -> bool:
        """Whether this side ended the call."""
        return self.disposition.startswith("send_")


class DialogListener(Protocol):
    """What a dialog tells, on the SIP thread."""

    def ringing(self) -> None: ...
    def early_media_offered(self, remote_sdp: str) -> None: ...
    def answered(self, remote_sdp: str | None) -> None:
        """The call is up: ACK came (incoming call, no SDP), or 200 (outgoing call, with the answer)."""

    def offered_again(self, remote_sdp: str) -> str | None:
        """A re-INVITE; returns our answer, None to refuse it (488)."""

    def offer_accepted(self, remote_sdp: str | None) -> None:
        """Our re-INVITE was answered with `remote_sdp`, or refused (None)."""

    def info(self, content_type: str, body: str) -> None: ...
    def ended(self, end: DialogEnd) -> None: ...


@dataclass(frozen=True)
class Target:
    """Whom to call. `uri_user` and `to_host` are what the other side sees, `address` is where packets go."""

    user: str
    address: tuple[str, int]
    to_user: str | None = None
    to_host: str | None = None
    uri_parameters: tuple[str, ...] = ()
    """Of the request's address: `name=value`."""


@dataclass(frozen=True)
class Caller:
    """As whom to call."""

    number: str
    name: str = ""
    host: str | None = None
    auth_user: str | None = None
    password: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class _UserAgent(UA):  # type: ignore[misc]
    """sippy's user agent, answering also the requests that it would leave without one."""

    rSDP: Any

    def __init__(self, dialog: Dialog, endpoint: SipEndpoint, **kwargs: Any) -> None:
        super().__init__(endpoint.sippy_config, event_cb=dialog.sippy_event, **kwargs)
        self.local_ua = endpoint.manners.user_agent
        self.lContact = SipContact()
        self.lContact.getUri().name = None
        self._dialog = dialog
        self._endpoint = endpoint
        self._bye_came = False

    def recvRequest(self, req: Any, sip_t: Any) -> Any:
        method = req.getMethod()
        refusal = self._endpoint.manners.refusal(req, self._endpoint.current_text)
        if refusal is not None:
            return refusal, None, None
        if self._bye_came:
            # sippy stays polite for half a minute; for FreeSWITCH there is no such call any more.
            return req.genResponse(481, phrase_of(481), server=self.local_ua), None, None
        self._bye_came = method == "BYE"
        if method == "UPDATE":
            return self._updated(req), None, None
        if method == "OPTIONS":
            return self._described(req), None, None
        if not self.isConnected() and method == "INFO":
            # sippy hears it only once the call is answered; keys are pressed before that too.
            self._dialog.received_info(req.getBody())
            return req.genResponse(200, "OK", server=self.local_ua), None, None
        if self.isConnected() and method == "INVITE" and req.getBody() is None:
            if self.rSDP is None:
                return req.genResponse(488, phrase_of(488), server=self.local_ua), None, None
            # A re-INVITE without SDP asks what we have. sippy would take it for hold; with the SDP that it knows
            # already it repeats our own.
            req.setBody(self.rSDP.getCopy())
        return super().recvRequest(req, sip_t)

    def _described(self, req: Any) -> Any:
        """200 with a description of the session; without a port, for it agrees to nothing."""
        response = self._with_contact(req)
        if self.lSDP is not None:
            response.setBody(_body(_AUDIO_PORT.sub("m=audio 0", str(self.lSDP))))
        return response

    def _updated(self, req: Any) -> Any:
        """UPDATE (RFC 3311) changes the session like a re-INVITE, in one round."""
        body = req.getBody()
        if body is None:
            return self._with_contact(req)
        answer = self._dialog.offered_again(str(body))
        if answer is None:
            # FreeSWITCH does not refuse it: it answers without a port, and the call goes on as it was.
            return self._described(req)
        self.rSDP, self.lSDP = body.getCopy(), _body(answer)
        response = self._with_contact(req)
        response.setBody(_body(answer))
        return response

    def _with_contact(self, req: Any) -> Any:
        response = req.genResponse(200, "OK", server=self.local_ua)
        response.appendHeader(SipHeader(name="contact", body=self.lContact))
        return response

    def recvACK(self, req: Any) -> None:
        agreed = self.rSDP
        super().recvACK(req)
        if self.rSDP is None:
            # sippy forgets the offer when the ACK carries no SDP, which is the rule.
            self.rSDP = agreed

    def disconnect(self, rtime: Any = None, origin: Any = None) -> None:
        """Called by sippy when a final answer was never acknowledged, or its own timer ran out."""
        self._dialog.gave_up = True
        super().disconnect(rtime, origin)


class Dialog:
    """One call. Made by `Dialog.receive` or `Dialog.call`."""

    def __init__(self, endpoint: SipEndpoint, listener: DialogListener, *, gives_reason: bool = False) -> None:
        """`gives_reason`: say the cause in a Reason header (RFC 3326) when we end the call, as FreeSWITCH does and
        phones don't."""
        self._endpoint = endpoint
        self._gives_reason = gives_reason
        self._listener = listener
        self._ua: Any = None
        self._incoming = False
        self._connected = False
        self._answer_sent = False
        self._updating = False
        self._ended = False
        self.gave_up = False

    # -- beginning

    def receive(self, request: Any, transaction: Any) -> Any:
        """Take an incoming INVITE: 100 Trying goes out, the call waits for `ring`, `answer` or `hangup`.

        Returns what sippy's transaction layer wants from its `req_cb`. Raises ValueError for a request without a
        usable Contact.
        """
        self._incoming = True
        try:
            request.getHFBody("contact").getUrl().getTAddr()
        except (IndexError, AttributeError, ValueError) as error:
            raise ValueError("no usable Contact") from error
        self._ua = _UserAgent(self, self._endpoint)
        self._endpoint.manners.adorn_contact(self._ua.lContact, request)
        return self._ua.recvRequest(request, transaction)

    def call(self, caller: Caller, target: Target, sdp: str) -> None:
        """Send an INVITE with our offer."""
        # sippy puts this list into every request of the call; an INVITE is the one that they are for.
        self._ua = _UserAgent(
            self, self._endpoint, username=caller.auth_user, password=caller.password, nh_address=target.address
        )
        event = CCEventTry((None, _token(caller.number), _token(target.user), _body(sdp), None, _name(caller.name)))
        event.extra_headers = tuple(SipHeader(s=f"{name}: {_line(value)}") for name, value in caller.headers) or None
        event.onUacSetupComplete = lambda ua: _set_addresses(ua, caller, target)
        self._ua.recvEvent(event)

    # -- doing

    def ring(self) -> None:
        """180 Ringing."""
        if self._incoming and not self._answer_sent and not self._ended:
            self._ua.recvEvent(CCEventRing((180, "Ringing", None)))

    def early(self, sdp: str) -> None:
        """183 Session Progress with our answer."""
        if self._incoming and not self._answer_sent and not self._ended:
            self._ua.recvEvent(CCEventRing((183, "Session Progress", _body(sdp))))

    def answer(self, sdp: str) -> None:
        """200 OK with our answer; `answered` follows the ACK."""
        if self._incoming and not self._answer_sent and not self._ended:
            self._answer_sent = True
            self._ua.recvEvent(CCEventPreConnect((200, "OK", _body(sdp))))

    def reoffer(self, sdp: str) -> bool:
        """A re-INVITE of ours (hold, resume). False when the call isn't in a state for it."""
        if not self._connected or self._ended or self._updating:
            return False
        self._updating = True
        if self._ua.lSDP is None:
            # sippy forgets it after a re-INVITE that was refused, and then compares with it.
            self._ua.lSDP = _body("")
        self._ua.recvEvent(CCEventUpdate(_body(sdp)))
        return True

    def send_info(self, content_type: str, body: str) -> None:
        """An INFO request inside the call."""
        if self._connected and not self._ended:
            kind = SipContentType(content_type)
            kind.parse()
            self._ua.recvEvent(CCEventInfo(MsgBody(body, kind)))

    def hangup(self, cause: str, sip_code: int) -> None:
        """BYE, CANCEL or the final answer `sip_code`, whichever fits the state of the call."""
        if self._ended:
            return
        if self._connected or self._answer_sent:
            disposition, code, event = "send_bye", 200, CCEventDisconnect()
        elif self._incoming:
            disposition, code = "send_refuse", sip_code
            event = CCEventFail((sip_code, phrase_of(sip_code)))
        else:
            disposition, code, event = "send_cancel", 487, CCEventDisconnect()
        reason = reason_of(cause) if self._gives_reason else None
        if reason is not None:
            event.reason_rfc3326 = SipReason(protocol=reason[0], cause=reason[1], reason=cause)
        self._ended = True
        try:
            self._ua.recvEvent(event)
        finally:
            self._listener.ended(DialogEnd(cause, disposition, code))

    # -- what sippy tells

    def sippy_event(self, event: Any, _: Any) -> None:
        """sippy's callback for everything that happens on the call."""
        handler = _HANDLERS.get(type(event))
        if handler is not None and not self._ended:
            handler(self, event)

    def offered_again(self, sdp: str) -> str | None:
        """Our answer to a new offer of the other side, None to refuse it."""
        return self._listener.offered_again(sdp) if self._connected and not self._ended else None

    def received_info(self, body: Any) -> None:
        """INFO of the other side, with or without a body."""
        if body is not None:
            self._listener.info(body.getType(), str(body))

    def _ring(self, event: Any) -> None:
        code, _, body = event.getData()
        if self._connected or self._incoming:
            return
        if body is not None:
            self._listener.early_media_offered(str(body))
        elif code == 180:
            self._listener.ringing()

    def _connect(self, event: Any) -> None:
        body = event.getData()[2]
        text = None if body is None else str(body)
        if self._updating:
            self._updating = False
            self._listener.offer_accepted(text)
        elif not self._connected:
            self._connected = True
            self._listener.answered(text)

    def _update(self, event: Any) -> None:
        body = event.getData()
        answer = None if body is None else self._listener.offered_again(str(body))
        if answer is None:
            self._ua.recvEvent(CCEventFail((488, phrase_of(488))))
        else:
            self._ua.recvEvent(CCEventConnect((200, "OK", _body(answer))))

    def _info(self, event: Any) -> None:
        self.received_info(event.getData())

    def _fail(self, event: Any) -> None:
        if self._connected:
            # Only our re-INVITE failed; if the call is over with that, a disconnect follows.
            self._updating = False
            self._listener.offer_accepted(None)
            return
        code = event.getData()[0]
        self._end(DialogEnd(_reason(event) or cause_of_sip(code), "recv_refuse", code))

    def _disconnect(self, event: Any) -> None:
        if self.gave_up:
            self._end(DialogEnd("RECOVERY_ON_TIMER_EXPIRE", "send_bye", 408))
        elif self._connected or self._answer_sent:
            self._end(DialogEnd(_reason(event) or "NORMAL_CLEARING", "recv_bye", 200))
        else:
            self._end(DialogEnd("ORIGINATOR_CANCEL", "recv_cancel", 487))

    def _end(self, end: DialogEnd) -> None:
        self._ended = True
        self._listener.ended(end)


_HANDLERS: dict[type, Callable[[Dialog, Any], None]] = {
    CCEventRing: Dialog._ring,
    CCEventConnect: Dialog._connect,
    CCEventUpdate: Dialog._update,
    CCEventInfo: Dialog._info,
    CCEventFail: Dialog._fail,
    CCEventRedirect: Dialog._fail,
    CCEventDisconnect: Dialog._disconnect,
}


def _reason(event: Any) -> str | None:
    """The cause in a `Reason: Q.850` header, which counts more than the SIP code, as in FreeSWITCH."""
    reason = event.reason_rfc3326
    if reason is None or str(reason.protocol).upper() != "Q.850":
        return None
    return cause_of_q850(reason.cause)


def _body(sdp: str) -> MsgBody:
    return MsgBody(sdp)


def _line(value: str) -> str:
    """A header value that can't begin a second header."""
    return wire_text("".join(c if c >= " " and c != "\x7f" else " " for c in value))


def _name(value: str) -> str:
    """A display name for between quotes (RFC 3261, section 25.1: quoted-string)."""
    return _line(value).replace("\\", "\\\\").replace('"', '\\"')


def _token(value: str) -> str | None:
    """A user part; sippy escapes what may not stand there."""
    return _line(value) or None


def _set_addresses(ua: Any, caller: Caller, target: Target) -> None:
    if caller.host is not None:
        url = ua.lUri.getUrl()
        url.host, url.port, url.transport = caller.host, None, None
    if target.to_host is not None:
        ua.rUri.getUrl().host = target.to_host
    if target.to_user is not None:
        ua.rUri.getUrl().username = _token(target.to_user)
    if target.uri_parameters:
        ua.rTarget.other = target.uri_parameters
