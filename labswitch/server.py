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
from labswitch.leg import Invitation, Leg
from labswitch.rtp import PortRange
from labswitch.sip import USER_AGENT, Gateway, Profile, SipStack
from labswitch.sip_registrar import Registration
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

    def _registrations(self, profile: str) -> dict[str, str]:
        if self.sip is None or profile not in self.config.profiles:
            return {}
        found = self.sip.registrations(profile)
        return {user: _contact(entry) for user, entry in found.items()}

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
        on_registration=lambda profile, user, entry: _tell_registration(switch, domain, profile, user, entry),
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


def _contact(entry: Registration) -> str:
    ip, port = entry.address
    return f"sip:{entry.contact_user}@{ip}:{port}"


def _tell_registration(switch: Switch, domain: str, profile: str, user: str, entry: Registration | None) -> None:
    """CUSTOM sofia::register, or sofia::unregister when the phone went."""
    subclass = "sofia::register" if entry is not None else "sofia::unregister"
    headers = [("profile-name", profile), ("from-user", user), ("from-host", domain), ("presence-hosts", domain)]
    if entry is not None:
        headers += [
            ("contact", f"<{_contact(entry)}>"),
            ("call-id", entry.call_id),
            ("rpid", "unknown"),
            ("status", "Registered(UDP)"),
            ("to-user", user),
            ("to-host", domain),
            ("network-ip", entry.address[0]),
            ("network-port", str(entry.address[1])),
            ("username", user),
            ("realm", domain),
            ("user-agent", entry.user_agent),
        ]
    switch.fire("CUSTOM", lambda: headers, subclass=subclass)
