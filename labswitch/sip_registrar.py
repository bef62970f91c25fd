"""Digest authentication (RFC 2617) and registrations of one SIP profile. Runs on the SIP thread.

`registrations` may be read from any thread: entries are replaced whole, never changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from sippy.SipExpires import SipExpires
from sippy.SipHeader import SipHeader
from sippy.SipProxyAuthenticate import SipProxyAuthenticate
from sippy.SipWWWAuthenticate import SipWWWAuthenticate

from labswitch.leg import Registration
from labswitch.sip_thread import SipThread
from labswitch.sip_transport import received_text

DEFAULT_EXPIRES_S = 3600
MAX_EXPIRES_S = 7200


class Authenticator:
    """Checks who a request comes from."""

    def __init__(self, realm: str, directory: Mapping[str, str]) -> None:
        """`directory` maps users to passwords; it is looked up anew for each request."""
        self._realm = realm
        self._directory = directory

    def check(self, request: Any, method: str) -> tuple[str | None, Any]:
        """The user that the request's digest proves, or None and the answer to send: a challenge, or 403."""
        header = "authorization" if method == "REGISTER" else "proxy-authorization"
        credentials = self._credentials(request, header)
        if credentials is None or not credentials.ho.validate_challenge(str(credentials.nonce), (1,)):
            return None, self._challenge(request, method)
        user = received_text(str(credentials.username))
        password = self._directory.get(user)
        if password is None or credentials.realm != self._realm or not credentials.verify(password, method):
            return None, request.genResponse(403, "Forbidden")
        return user, None

    @staticmethod
    def _credentials(request: Any, header: str) -> Any:
        if not request.countHFs(header):
            return None
        try:
            credentials = request.getHFBody(header)
        except (ValueError, IndexError):
            return None
        return credentials if credentials.algorithm in (None, "MD5") else None

    def _challenge(self, request: Any, method: str) -> Any:
        if method == "REGISTER":
            response, challenge = request.genResponse(401, "Unauthorized"), SipWWWAuthenticate
        else:
            response, challenge = request.genResponse(407, "Proxy Authentication Required"), SipProxyAuthenticate
        response.appendHeader(SipHeader(body=challenge(realm=self._realm, algorithm="MD5")))
        return response


class Registrar:
    """The registrations of one profile: one contact a user, the newest."""

    def __init__(self, authenticator: Authenticator, on_change: Callable[[str, Registration], None]) -> None:
        """`on_change(what, registration)`: `register` (also again), `unregister` on a phone's own wish (which ends the
        user's registration whichever phone it was that said so, as in FreeSWITCH), `expire`."""
        self._authenticator = authenticator
        self._on_change = on_change
        self._registrations: dict[str, Registration] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._thread = SipThread.get()

    @property
    def registrations(self) -> dict[str, Registration]:
        """Those that are valid now, by user."""
        now = time.monotonic()
        return {user: entry for user, entry in list(self._registrations.items()) if entry.expires_at_s > now}

    def register(self, request: Any, source: tuple[str, int]) -> Any:
        """Handle REGISTER; returns the answer."""
        user, refusal = self._authenticator.check(request, "REGISTER")
        if user is None:
            return refusal
        try:
            if received_text(str(request.getHFBody("to").getUrl().username)) != user:
                return request.genResponse(403, "Forbidden")
            return self._store(request, user, source)
        except (ValueError, IndexError, AttributeError):
            return request.genResponse(400, "Bad Request")

    def _store(self, request: Any, user: str, source: tuple[str, int]) -> Any:
        response = request.genResponse(200, "OK")
        if not request.countHFs("contact"):
            return response
        contact = request.getHFBody("contact")
        expires_s = _expires_s(request, contact)
        entry = self._entry(request, user, contact, max(0, expires_s), source)
        self._forget(user)
        if not entry.expires_s:
            self._on_change("unregister", entry)
            return response
        self._registrations[user] = entry
        self._expiries[user] = self._thread.loop.call_later(expires_s, self._thread.enter, self.expire, user)
        self._on_change("register", entry)
        answer = contact.getCopy()
        answer.getUri().setParam("expires", str(expires_s))
        response.appendHeader(SipHeader(name="contact", body=answer))
        response.appendHeader(SipHeader(name="expires", body=SipExpires(number=expires_s)))
        return response

    def expire(self, user: str) -> None:
        """The registration's time is over, or it is flushed."""
        entry = self._forget(user)
        if entry is not None:
            self._on_change("expire", entry)

    def close(self) -> None:
        """No registration expires any more."""
        for user in list(self._registrations):
            self._forget(user)

    def _forget(self, user: str) -> Registration | None:
        expiry = self._expiries.pop(user, None)
        if expiry is not None:
            expiry.cancel()
        return self._registrations.pop(user, None)

    @staticmethod
    def _entry(request: Any, user: str, contact: Any, expires_s: int, source: tuple[str, int]) -> Registration:
        url = None if contact.asterisk else contact.getUrl()
        return Registration(
            user=user,
            contact_user=user if url is None else received_text(url.username or user),
            address=source if url is None else _reachable(url.getAddr(), source),
            user_agent=received_text(str(request.getHFBody("user-agent"))) if request.countHFs("user-agent") else "",
            call_id=received_text(str(request.getHFBody("call-id"))),
            expires_s=expires_s,
            expires_at_s=time.monotonic() + expires_s,
        )


def _expires_s(request: Any, contact: Any) -> int:
    """How long a registration is to hold: the contact's own parameter, the header, our default."""
    if contact.asterisk:
        return 0
    parameter = contact.getUri().getParam("expires")
    if parameter is not None:
        return min(int(parameter), MAX_EXPIRES_S)
    if request.countHFs("expires"):
        return min(int(request.getHFBody("expires").getNum()), MAX_EXPIRES_S)
    return DEFAULT_EXPIRES_S


def _reachable(contact: tuple[str, int], source: tuple[str, int]) -> tuple[str, int]:
    """The contact's address, or where the packet came from when that is only a name."""
    try:
        ip_address(contact[0])
    except ValueError:
        return source
    return contact
