"""How the two kinds of endpoint answer: which methods they know, and which headers their answers have.

`Manners` are those of a phone. `FreeSwitchManners` are FreeSWITCH's, as `tests/captured/sip` has them. Both belong on
the SIP thread.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sippy.SipHeader import SipHeader

from labswitch import sip_screen
from labswitch.sip_causes import phrase_of

_ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, NOTIFY"
_SUPPORTED = "timer, path, replaces"
_ALLOW_EVENTS = "talk, hold, conference, refer"
_USER = "-_.!~*'()&=+$,;?/"
"""What stands unescaped in a user part (RFC 3261, section 25.1)."""
_OURS = ("server", "user-agent", "accept", "allow", "supported", "allow-events", "content-disposition")
_ANSWERED_BELOW = (416, 420, 481)
"""Answers that come from FreeSWITCH's SIP stack and not from its SIP module: they have fewer headers."""
_NOT_ALLOWED = ("REFER", "SUBSCRIBE", "REGISTER", "PUBLISH")
_REFUSALS = {
    **dict.fromkeys(_NOT_ALLOWED, "405 Method Not Allowed"),
    "MESSAGE": "407 Proxy Authentication Required",
    "NOTIFY": "481 Subscription Does Not Exist",
    "PRACK": "481 No such response",
}


class Manners:
    """A phone's."""

    understood: tuple[str, ...] = ("INVITE", "BYE", "INFO", "OPTIONS")
    """Methods that belong to the course of a call."""

    def __init__(self, user_agent: str) -> None:
        self.user_agent = user_agent

    @property
    def allow(self) -> str:
        """The header that names the methods."""
        return f"Allow: ACK, CANCEL, {', '.join(self.understood)}"

    def refusal(self, request: Any, text: str) -> Any:
        """The answer to a request that is good for nothing, None for one that may be served. `text` is the message as
        it came."""
        method = request.getMethod()
        if method in self.understood:
            return None
        code = 405 if method in _NOT_ALLOWED else 501
        return self.answer(request, f"{code} {phrase_of(code)}", self.allow)

    def answer(self, request: Any, status: str, *headers: str) -> Any:
        """An answer with this status (`481 Call Does Not Exist`) and these headers more."""
        code, _, phrase = status.partition(" ")
        response = request.genResponse(int(code), phrase, server=self.user_agent)
        response.appendHeaders([SipHeader(s=header) for header in headers])
        return response

    def adorn_contact(self, contact: Any, request: Any) -> None:
        """Make the Contact of a call that `request` began."""

    def complete(self, response: Any, within_call: bool) -> None:
        """Give an answer the headers that every one like it has. `within_call`: the request had a tag in its To."""


class FreeSwitchManners(Manners):
    """FreeSWITCH's with `disable-transfer` and `disable-register`."""

    understood = (*Manners.understood, "UPDATE")

    def __init__(self, user_agent: str, *, registers: bool) -> None:
        """`registers`: REGISTER is served."""
        super().__init__(user_agent)
        if registers:
            self.understood = (*self.understood, "REGISTER")

    def refusal(self, request: Any, text: str) -> Any:
        fault = sip_screen.fault_of(text)
        if fault is not None:
            return self.answer(request, *fault)
        method = request.getMethod()
        if method in self.understood:
            return None
        response = self.answer(request, _REFUSALS.get(method, "501 Not Implemented"))
        if method == "MESSAGE":
            realm, nonce = request.getHFBody("to").getUrl().host, uuid4()
            challenge = f'Digest realm="{realm}", nonce="{nonce}", algorithm=MD5, qop="auth"'
            response.appendHeader(SipHeader(s=f"Proxy-Authenticate: {challenge}"))
        return response

    def adorn_contact(self, contact: Any, request: Any) -> None:
        url = contact.getUrl()
        url.username, url.transport = request.getRURI().username, "udp"

    def complete(self, response: Any, within_call: bool) -> None:
        for name in _OURS:
            response.delHFs(name)
        code, method = response.getSCode()[0], response.getHFBody("cseq").getCSeq()[1]
        if method == "CANCEL" or response.getSCode()[1] == _REFUSALS["PRACK"].partition(" ")[2]:
            if code == 481 and method == "CANCEL":
                response.setSCode(code, "Call/Transaction Does Not Exist")
            return
        headers = [f"User-Agent: {self.user_agent}"]
        if code > 100:
            headers += self._more(response, code, method, within_call)
        response.appendHeaders([SipHeader(s=header) for header in headers])

    @staticmethod
    def _more(response: Any, code: int, method: str, within_call: bool) -> list[str]:
        begins = method == "INVITE" and not within_call
        by_module = code not in _ANSWERED_BELOW
        headers = [f"Allow: {_ALLOW}", f"Supported: {_SUPPORTED}"]
        if by_module and method in ("INVITE", "UPDATE", "OPTIONS") and code != 487:
            headers.append("Accept: application/sdp")
        if (by_module and (begins or method == "OPTIONS")) or (method == "NOTIFY" and not within_call):
            headers.append(f"Allow-Events: {_ALLOW_EVENTS}")
        if response.getBody() is not None and method != "OPTIONS":
            headers.append("Content-Disposition: session")
        refused = bool(response.countHFs("reason"))
        if begins and (code < 300 or refused):
            url = response.getHFBody("to").getUrl()
            called = quote(url.username or "", _USER)  # sippy has decoded it
            party = "party=calling;privacy=off;screen=no"
            headers.append(f'Remote-Party-ID: "{called}" <sip:{called}@{url.host}>;{party}')
        if begins and refused:
            headers.append("Max-Forwards: 70")
        return headers
