"""The lab switch's SIP side: profiles as FreeSWITCH's mod_sofia has them, incoming calls, dial strings.

`external` is for trunks: no authentication, callers from the loopback only. `internal` is for agents: REGISTER and
calls by digest against the directory. `SipStack` offers each incoming call as a `Leg` and makes the outgoing ones.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from labswitch import sdp
from labswitch.leg import NO_EXTRAS, DialError, Extras, Invitation, Leg, LegListener, Registration
from labswitch.rtp import NoFreePort, PortRange
from labswitch.sip_causes import phrase_of
from labswitch.sip_dialog import Caller, Target
from labswitch.sip_headers import Headers, parse_address
from labswitch.sip_leg import SipLeg
from labswitch.sip_manners import FreeSwitchManners
from labswitch.sip_registrar import Authenticator, Registrar
from labswitch.sip_thread import SipThread
from labswitch.sip_transport import SipEndpoint, received_text

log = logging.getLogger(__name__)

USER_AGENT = "callwright-labswitch"
OnInvite = Callable[[Invitation, Leg], None]
OnRegistration = Callable[[str, str, Registration], None]

_GATEWAY = re.compile(r"sofia/gateway/(?P<gateway>[^/]+)/(?P<number>.+)", re.DOTALL)
_PROFILE = re.compile(r"sofia/(?P<profile>[^/]+)/(?:sips?:)?(?P<rest>.+)", re.DOTALL)
_ADDRESS = re.compile(r"(?P<user>[^@%]*)@(?P<host>[^:@;]+)(?::(?P<port>\d{1,5}))?(?:;.*)?", re.DOTALL)

_NO_OFFER = 'Reason: Q.850;cause=96;text="MANDATORY_IE_MISSING"'
_NO_CODEC = 'Reason: Q.850;cause=88;text="INCOMPATIBLE_DESTINATION"'


@dataclass(frozen=True)
class Profile:
    """A SIP address of the switch. `authenticate` makes it one for agents."""

    name: str
    ip: str = "127.0.0.1"
    port: int = 0
    authenticate: bool = False
    user_agent: str = USER_AGENT


@dataclass(frozen=True)
class Gateway:
    """A trunk to call out by. `username` and `password` answer its digest challenge, if it makes one."""

    name: str
    ip: str
    port: int
    profile: str = "external"
    username: str | None = None
    password: str | None = None


@dataclass
class _Running:
    profile: Profile
    endpoint: SipEndpoint
    authenticator: Authenticator
    registrar: Registrar


class SipStack:
    """SIP and RTP of the switch; implements `labswitch.leg.LegMaker`. Its methods belong on `loop`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        profiles: Sequence[Profile],
        directory: Mapping[str, str],
        gateways: Sequence[Gateway],
        on_invite: OnInvite,
        *,
        domain: str = "127.0.0.1",
        rtp_ports: PortRange | None = None,
        on_registration: OnRegistration | None = None,
    ) -> None:
        """`directory` maps users to passwords, read on the SIP thread. `on_invite(invitation, leg)` is called on
        `loop` and must set the leg's listener; `on_registration(profile, what, registration)` too, with what
        `Registrar` tells. `domain` is the agents' domain and the realm of the digest."""
        self._loop = loop
        self._profiles = {profile.name: profile for profile in profiles}
        self._directory = directory
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._on_invite = on_invite
        self._on_registration = on_registration
        self._domain = domain
        self._ports = rtp_ports or PortRange()
        self._thread = SipThread.get()
        self._running: dict[str, _Running] = {}
        self._legs: set[SipLeg] = set()

    def start(self) -> None:
        """Open the profiles' ports. Raises OSError when one is in use; then none stays open."""
        try:
            for profile in self._profiles.values():
                self._running[profile.name] = self._thread.run(self._open, profile)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up every call and close the profiles' ports."""
        for leg in list(self._legs):
            leg.shut_down()
        running, self._running = list(self._running.values()), {}
        for entry in running:
            self._thread.run(entry.registrar.close)
            self._thread.run(entry.endpoint.close)

    def address(self, profile: str) -> tuple[str, int]:
        """Where a profile listens (its port may have been chosen by the system). Raises KeyError."""
        return self._running[profile].endpoint.address

    def registrations(self, profile: str) -> dict[str, Registration]:
        """Who is registered now, by user. Raises KeyError."""
        return self._running[profile].registrar.registrations

    def dial(
        self,
        target: str,
        caller_id_number: str,
        caller_id_name: str,
        listener: LegListener,
        extras: Extras = NO_EXTRAS,
    ) -> Leg:
        """Start an outgoing leg to a dial string of `sofia`. Raises `DialError`."""
        running, caller, where = self._resolve(target, caller_id_number, caller_id_name)
        caller = replace(caller, headers=extras.headers)
        where = replace(where, uri_parameters=extras.uri_parameters)
        try:
            leg = self._new_leg(running, listener)
        except NoFreePort as error:
            raise DialError("SWITCH_CONGESTION", target) from error
        leg.open()
        leg.call(caller, where)
        return leg

    def flush_registration(self, profile: str, user: str) -> None:
        """End a user's registration as if its time had run out. Raises KeyError."""
        self._thread.post(self._running[profile].registrar.expire, user)

    def _new_leg(self, running: _Running, listener: LegListener | None) -> SipLeg:
        leg = SipLeg(self._loop, running.endpoint, self._ports, listener)
        self._legs.add(leg)
        leg.on_over = lambda: self._legs.discard(leg)
        return leg

    # -- outgoing

    def _resolve(self, target: str, number: str, name: str) -> tuple[_Running, Caller, Target]:
        found = _GATEWAY.fullmatch(target)
        if found:
            gateway = self._gateways.get(found["gateway"])
            if gateway is None:
                raise DialError("INVALID_GATEWAY", target)
            running = self._profile(gateway.profile, target)
            caller = Caller(number, name, auth_user=gateway.username, password=gateway.password)
            return running, caller, Target(found["number"], (gateway.ip, gateway.port))
        found = _PROFILE.fullmatch(target)
        if not found:
            raise DialError("INVALID_URL" if target.startswith("sofia/") else "CHAN_NOT_IMPLEMENTED", target)
        running = self._profile(found["profile"], target)
        return running, Caller(number, name), self._destination(running, found["rest"], target)

    def _destination(self, running: _Running, rest: str, target: str) -> Target:
        user, percent, domain = rest.partition("%")
        if percent and "@" not in rest:
            registration = running.registrar.registrations.get(user) if domain == self._domain else None
            if registration is None:
                raise DialError("USER_NOT_REGISTERED", target)
            return Target(registration.contact_user, registration.address, user, domain)
        found = _ADDRESS.fullmatch(rest)
        if not found:
            raise DialError("INVALID_URL", target)
        host, port = found["host"], int(found["port"] or 5060)
        host = "127.0.0.1" if host == "localhost" else host
        if not _is_number(host) or not 0 < port < 65536:
            raise DialError("DESTINATION_OUT_OF_ORDER", target)
        return Target(found["user"], (host, port))

    def _profile(self, name: str, target: str) -> _Running:
        running = self._running.get(name)
        if running is None:
            raise DialError("INVALID_PROFILE", target)
        return running

    # -- incoming, on the SIP thread

    def _open(self, profile: Profile) -> _Running:
        def on_request(request: Any, transaction: Any) -> Any:
            return self._request(running, request, transaction)

        manners = FreeSwitchManners(profile.user_agent, registers=profile.authenticate)
        endpoint = SipEndpoint(profile.ip, profile.port, on_request, manners)
        authenticator = Authenticator(self._domain, self._directory)
        registrar = Registrar(authenticator, lambda what, entry: self._registered(profile.name, what, entry))
        running = _Running(profile, endpoint, authenticator, registrar)
        return running

    def _request(self, running: _Running, request: Any, transaction: Any) -> Any:
        """Answers a request outside of any call we know."""
        method, manners = request.getMethod(), running.endpoint.manners
        tag = request.getHFBody("to").getTag()
        if method in ("BYE", "UPDATE") or (tag is not None and method in ("INVITE", "OPTIONS", "NOTIFY")):
            return manners.answer(request, f"481 {phrase_of(481)}"), None, None
        refusal = manners.refusal(request, running.endpoint.current_text)
        if refusal is not None:
            return refusal, None, None
        if method == "INVITE":
            return self._invite(running, request, transaction)
        if method == "REGISTER":
            return running.registrar.register(request, request.getSource()), None, None
        host, port = running.endpoint.address
        contact = (f"Contact: <sip:{host}:{port}>",) if method == "OPTIONS" else ()
        return manners.answer(request, "200 OK", *contact), None, None

    def _invite(self, running: _Running, request: Any, transaction: Any) -> Any:
        user: str | None = None
        if running.profile.authenticate:
            user, refusal = running.authenticator.check(request, "INVITE")
            if user is None:
                return refusal, None, None
        elif not ip_address(request.getSource()[0]).is_loopback:
            return request.genResponse(403, phrase_of(403)), None, None
        body = str(request.getBody() or "")
        if not body.startswith("v="):
            # FreeSWITCH makes no offer of its own (without `enable-3pcc`).
            refusal = ("400 Bad Session Description",) if body else (f"480 {phrase_of(480)}", _NO_OFFER)
            return running.endpoint.manners.answer(request, *refusal), None, None
        try:
            offer = sdp.parse(body)
            leg = self._new_leg(running, None)
        except sdp.SdpError as error:
            log.info("INVITE refused: %s", error)
            return running.endpoint.manners.answer(request, f"488 {phrase_of(488)}", _NO_CODEC), None, None
        except NoFreePort:
            return request.genResponse(503, phrase_of(503)), None, None
        try:
            result = leg.dialog.receive(request, transaction)
        except Exception as error:  # noqa: BLE001 - a hostile request must not cost an RTP port
            log.info("INVITE not understood: %r", error)
            leg.discard()
            return request.genResponse(400, phrase_of(400)), None, None
        self._post(self._offer, self._invitation(running, request, offer, user), leg, offer)
        return result

    def _invitation(self, running: _Running, request: Any, offer: sdp.AudioMedia, user: str | None) -> Invitation:
        headers = Headers(running.endpoint.current_text)
        caller, called = headers.address("from"), parse_address(received_text(request.getRURI().original_uri))
        network_ip, network_port = request.getSource()
        return Invitation(
            call_id=headers.get("call-id"),
            from_user=caller.user,
            from_display=caller.display,
            from_host=caller.host,
            from_port=caller.port,
            to_user=called.user,
            to_host=called.host,
            to_port=called.port,
            network_ip=network_ip,
            network_port=network_port,
            user_agent=headers.get("user-agent"),
            contact_uri=headers.address("contact").uri,
            remote_sdp=received_text(str(request.getBody())),
            codec=offer.codec,
            profile=running.profile.name,
            authenticated_user=user,
            headers=headers.extensions(),
        )

    def _registered(self, profile: str, what: str, entry: Registration) -> None:
        if self._on_registration is not None:
            self._post(self._on_registration, profile, what, entry)

    def _post(self, function: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)

    # -- incoming, on the switch's loop

    def _offer(self, invitation: Invitation, leg: SipLeg, offer: sdp.AudioMedia) -> None:
        leg.open(offer)
        try:
            self._on_invite(invitation, leg)
        except Exception:
            log.exception("nobody takes the call %s", invitation.call_id)
            leg.hangup("NORMAL_TEMPORARY_FAILURE")


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
