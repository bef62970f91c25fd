"""Puts the lab switch together: configuration, core, event socket, SIP."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path

from labswitch import api
from labswitch import config as configuration
from labswitch.config import Config
from labswitch.esl import ControlServer
from labswitch.headers import Headers
from labswitch.leg import Invitation, Leg, Registration
from labswitch.rtp import PortRange
from labswitch.sip import USER_AGENT, Gateway, Profile, SipStack
from labswitch.switch import Switch

log = logging.getLogger("labswitch")

READY_FILE = "labswitch.json"
"""In the state directory once everything listens: the ports and the process id."""

_CLOSE_LIMIT_S = 5.0


class LabSwitch:
    """A running lab switch. `start`, then `stop`, on one event loop."""

    def __init__(self, config: Config, state_dir: Path | None = None) -> None:
        api.load()
        self.config = config
        self.state_dir = state_dir
        self.switch = Switch(config, state_dir=state_dir)
        self.switch.start_heartbeat()
        if config.api_expansion:
            self.switch.expand_api = lambda name, arguments: api.run_now(self.switch, name, arguments)
        self.control = ControlServer(self.switch)
        self.control_port = 0
        self.sip: SipStack | None = None

    async def start(self) -> None:
        """Open the event socket and the SIP profiles. Raises OSError when an address is in use."""
        config = self.config
        self.control_port = await self.control.start(config.esl_ip, config.esl_port)
        if config.profiles:
            self.sip = make_sip(config, self.switch)
            self.switch.leg_maker = self.sip
            self.switch.registrations = self._registrations
            self.switch.flush_registration = self._flush_registration
            try:
                self.sip.start()
            except OSError:
                await self.control.close()
                raise
        for name in config.profiles:
            log.info("SIP profile %s on %s:%d", name, *self.address(name))
        self._write_ready()

    def address(self, profile: str) -> tuple[str, int]:
        """Where a profile listens. Raises KeyError."""
        if self.sip is None:
            raise KeyError(profile)
        return self.sip.address(profile)

    async def stop(self) -> None:
        """Hang up, close everything."""
        try:
            await asyncio.wait_for(self.switch.close(), _CLOSE_LIMIT_S)
        except TimeoutError:
            log.warning("some calls did not end in time")
        await self.control.close()
        if self.sip is not None:
            self.sip.close()
        if self.state_dir is not None:
            (self.state_dir / READY_FILE).unlink(missing_ok=True)

    def _registrations(self, profile: str) -> dict[str, Registration]:
        if self.sip is None or profile not in self.config.profiles:
            return {}
        return self.sip.registrations(profile)

    def _flush_registration(self, profile: str, user: str) -> None:
        if self.sip is not None and profile in self.config.profiles:
            self.sip.flush_registration(profile, user)

    def _write_ready(self) -> None:
        if self.state_dir is None:
            return
        self.state_dir.mkdir(parents=True, exist_ok=True)
        ports = {"event_socket": [self.config.esl_ip, self.control_port]}
        ports.update({f"sip_{name}": list(self.address(name)) for name in self.config.profiles})
        ready = self.state_dir / READY_FILE
        fresh = ready.with_suffix(".new")
        fresh.write_text(json.dumps(ports))
        fresh.replace(ready)


def make_sip(config: Config, switch: Switch) -> SipStack:
    """SIP as the configuration describes it."""
    domain = _domain(config)
    profiles = [
        Profile(p.name, p.sip_ip, p.sip_port, p.auth_calls, p.params.get("user-agent-string", USER_AGENT))
        for p in config.profiles.values()
    ]
    gateways = [_gateway(g) for p in config.profiles.values() for g in p.gateways]
    return SipStack(
        asyncio.get_running_loop(),
        profiles,
        {user.name: user.password for user in config.users},
        [gateway for gateway in gateways if gateway is not None],
        lambda invitation, leg: _take(switch, invitation, leg),
        domain=domain,
        rtp_ports=PortRange(config.rtp_start_port, config.rtp_end_port),
        on_registration=lambda profile, what, entry: tell_registration(switch, domain, profile, what, entry),
    )


def _take(switch: Switch, invitation: Invitation, leg: Leg) -> None:
    switch.incoming(invitation, leg)


def _domain(config: Config) -> str:
    """The agents' domain: the directory's, else what the profiles challenge with."""
    if config.users:
        return config.users[0].domain
    realms = [p.params.get("challenge-realm", "") for p in config.profiles.values()]
    return next((realm for realm in realms if realm), "127.0.0.1")


def _gateway(given: configuration.Gateway) -> Gateway | None:
    """A trunk with its address looked up; None, with a warning, where that fails."""
    host, _, port = given.proxy.removeprefix("sip:").partition(";")[0].partition(":")
    try:
        ip = socket.gethostbyname(host)
    except OSError as error:
        log.warning("gateway %s: %s: %s", given.name, host, error)
        return None
    user, password = given.username or None, given.password or None
    return Gateway(given.name, ip, int(port or 5060), given.profile, user, password)


def tell_registration(switch: Switch, domain: str, profile: str, what: str, entry: Registration) -> None:
    """CUSTOM sofia::register, sofia::unregister or sofia::expire, each with other headers, as in FreeSWITCH."""
    headers = [("profile-name", profile), *_TOLD[what](entry, domain)]
    switch.fire("CUSTOM", lambda: headers, subclass=f"sofia::{what}")


def _registered(entry: Registration, domain: str) -> Headers:
    return [
        *(("from-user", entry.user), ("from-host", domain), ("presence-hosts", "n/a")),
        *(("contact", _shown(entry)), ("call-id", entry.call_id), ("rpid", "unknown")),
        *(("status", "Registered(UDP)"), ("expires", str(entry.expires_s))),
        *(("to-user", entry.user), ("to-host", domain), *_network(entry)),
        *(("username", entry.user), ("realm", domain), ("user-agent", entry.user_agent)),
    ]


def _unregistered(entry: Registration, domain: str) -> Headers:
    return [
        *(("username", entry.user), ("from-user", entry.user), ("from-host", domain)),
        *(("contact", _shown(entry)), ("call-id", entry.call_id), ("rpid", "unknown"), ("realm", domain)),
        *(*_network(entry), ("user-agent", entry.user_agent), ("expires", "0")),
    ]


def _expired(entry: Registration, domain: str) -> Headers:
    return [
        *(("call-id", entry.call_id), ("user", entry.user), ("username", entry.user), ("host", domain)),
        *(("contact", _shown(entry)), ("expires", str(entry.expires_at_epoch_s()))),
        *(("user-agent", entry.user_agent), ("realm", domain), *_network(entry)),
    ]


_TOLD = {"register": _registered, "unregister": _unregistered, "expire": _expired}


def _shown(entry: Registration) -> str:
    return f'"" <{entry.contact}>'


def _network(entry: Registration) -> Headers:
    return [("network-ip", entry.address[0]), ("network-port", str(entry.address[1]))]
