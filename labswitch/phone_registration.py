"""A phone's REGISTER with digest authentication. Runs on the SIP thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sippy.SipAddress import SipAddress
from sippy.SipContact import SipContact
from sippy.SipFrom import SipFrom
from sippy.SipHeader import SipHeader
from sippy.SipRequest import SipRequest
from sippy.SipTo import SipTo
from sippy.SipURL import SipURL

from labswitch.sip_transport import SipEndpoint, wire_text

_CHALLENGES = {401: "www-authenticate", 407: "proxy-authenticate"}


class Registering:
    """One phone's registration with one registrar; each `send` is a fresh REGISTER of the same binding."""

    def __init__(
        self, endpoint: SipEndpoint, user: str, domain: str, registrar: tuple[str, int], password: str | None
    ) -> None:
        self._endpoint = endpoint
        self._user = user
        self._password = password
        self._uri = SipURL(host=domain)
        self._registrar = registrar
        address = SipAddress(url=SipURL(username=wire_text(user), host=domain))
        self._from = SipFrom(address=address.getCopy())
        self._from.genTag()
        self._to = SipTo(address=address)
        self._call_id: Any = None
        self._sequence = 0

    def send(self, expires_s: int, done: Callable[[int], None]) -> None:
        """Register for `expires_s` seconds, 0 to end it. `done` gets the final SIP code, once."""
        self._send(expires_s, done, None)

    def _send(self, expires_s: int, done: Callable[[int], None], authorization: Any) -> None:
        request = self._request(expires_s)
        if authorization is not None:
            request.appendHeader(SipHeader(body=authorization))

        def answered(response: Any) -> None:
            code = response.getSCode()[0]
            if code < 200:
                return
            proof = self._proof(response) if authorization is None else None
            if proof is not None:
                self._send(expires_s, done, proof)
            else:
                done(code)

        self._endpoint.transactions.newTransaction(request, answered)

    def _request(self, expires_s: int) -> Any:
        host, port = self._endpoint.address
        contact = SipContact(address=SipAddress(url=SipURL(username=wire_text(self._user), host=host, port=port)))
        contact.getUri().setParam("expires", str(expires_s))
        self._sequence += 1
        request = SipRequest(
            method="REGISTER",
            ruri=self._uri.getCopy(),
            fr0m=self._from.getCopy(),
            to=self._to.getCopy(),
            contact=contact,
            callid=self._call_id,
            cseq=self._sequence,
            target=(self._registrar, "udp"),
            user_agent=self._endpoint.manners.user_agent,
        )
        self._call_id = request.getHFBody("call-id").getCopy()
        return request

    def _proof(self, response: Any) -> Any:
        """The Authorization header that a challenge asks for, None when there is nothing to prove with."""
        challenge_name = _CHALLENGES.get(response.getSCode()[0], "")
        if self._password is None or not response.countHFs(challenge_name):
            return None
        challenge = response.getHFBody(challenge_name)
        supported, qop = challenge.supportedAlgorithm()
        if not supported:
            return None
        return challenge.genAuthHF(wire_text(self._user), self._password, "REGISTER", str(self._uri), qop=qop)
