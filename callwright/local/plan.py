"""Who gets which port, name and password on this machine, and the switch's directory that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

import freeswitch_conf
from callwright.local import ports
from callwright.local.service import Home
from dialplan.render import RenderResult, render
from dialplan.settings import Agent, EventSocket, NumberFallback, RenderSettings, Rtp, SipListen, Trunk
from engine.config import Address, Config, Switch
from ivr_flows import library

SWITCH_NAME = "local"
TRUNK = "local"
FIRST_NUMBER = 1001
"""The first agent's internal number."""


@dataclass(frozen=True, slots=True)
class Account:
    """An agent's phone: user and password at the switch's internal SIP port, and the internal number."""

    id: str
    name: str
    number: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided before anything starts."""

    config: Config
    engines: tuple[Address, ...]
    agents: tuple[Account, ...]
    operator: Address
    conf_dir: Path
    settings: RenderSettings
    media: ports.Block

    @classmethod
    def make(cls, home: Home, given: Config, *, engines: int, agents: tuple[str, ...], usual_ports: bool) -> Plan:
        """Choose ports and passwords. Passwords and, where they are free, ports are those of the last time."""

        def local(address: Address, offset: int = 0) -> Address:
            return Address(host=ports.LOOPBACK, port=ports.take(address.port + offset if usual_ports else None))

        engine_addresses = tuple(local(given.engine.listen, index) for index in range(engines))
        media = ports.Block(ports.MEDIA)
        dialplan = given.dialplan.model_copy(
            update={
                "engines": engine_addresses,
                "switch_name": given.dialplan.switch_name or SWITCH_NAME,
                "event_socket_listen": local(given.dialplan.event_socket_listen),
                "event_socket_password": SecretStr(home.secret("event_socket_password")),
                "sip_external": local(given.dialplan.sip_external),
                "sip_internal": local(given.dialplan.sip_internal),
                "rtp_ip": ports.LOOPBACK,
                "rtp_first_port": media.first,
                "rtp_last_port": media.first + media.size - 1,
                "max_sessions": min(given.dialplan.max_sessions, media.size // 2 - 1),
            }
        )
        state = home.path
        config = given.model_copy(
            update={
                "dialplan": dialplan,
                "engine": given.engine.model_copy(
                    update={
                        "state_dir": state,
                        "prompts_dir": state / "prompts",
                        "recordings_dir": state / "recordings",
                        "drain_timeout_s": min(given.engine.drain_timeout_s, 5),
                    }
                ),
                "api": given.api.model_copy(
                    update={
                        "listen": local(given.api.listen),
                        "keys": (SecretStr(home.secret("api_key")), *given.api.keys),
                    }
                ),
            }
        )
        accounts = tuple(
            Account(agent, agent.capitalize(), str(FIRST_NUMBER + index), home.secret(f"sip_{agent}"))
            for index, agent in enumerate(agents)
        )
        operator = Address(host=ports.LOOPBACK, port=ports.take())
        settings = _settings(config, accounts, operator, state / "switch")
        return cls(config, engine_addresses, accounts, operator, state / "switch" / "conf", settings, media)

    def render(self) -> RenderResult:
        """Write the switch's directory. Raises dialplan's SettingsError and XmlError."""
        Path(self.settings.prompts_dir).mkdir(parents=True, exist_ok=True)
        return render(self.settings, freeswitch_conf.template_dir(), self.conf_dir)

    def switch(self) -> Switch:
        """The switch as the engine's configuration names it."""
        socket = self.settings.event_socket
        return Switch(
            name=self.settings.switch_name, host=socket.ip, port=socket.port, password=SecretStr(socket.password)
        )


def _settings(config: Config, agents: tuple[Account, ...], operator: Address, directory: Path) -> RenderSettings:
    return render_settings(
        config,
        agents=tuple(Agent(each.id, each.password, each.name) for each in agents),
        # the whole loopback network: a test's callers come from many addresses of it
        trunks=(Trunk(TRUNK, str(operator), networks=("127.0.0.0/8",)),),
        directory=directory,
    )


def render_settings(
    config: Config,
    *,
    agents: tuple[Agent, ...],
    trunks: tuple[Trunk, ...],
    directory: Path,
    fallbacks: tuple[NumberFallback, ...] = (),
) -> RenderSettings:
    """What the switch's configuration is rendered from; `directory` takes its logs, databases and run files."""
    plan = config.dialplan
    password = plan.event_socket_password.get_secret_value() if plan.event_socket_password else ""
    return RenderSettings(
        engines=tuple(map(str, plan.engines or (config.engine.listen,))),
        event_socket=EventSocket(password, plan.event_socket_listen.host, plan.event_socket_listen.port),
        sip_external=SipListen(plan.sip_external.host, plan.sip_external.port),
        sip_internal=SipListen(plan.sip_internal.host, plan.sip_internal.port),
        rtp=Rtp(plan.rtp_ip, plan.rtp_first_port, plan.rtp_last_port),
        domain=plan.domain,
        agents=agents,
        trunks=trunks,
        recordings_dir=str(config.engine.recordings_dir),
        prompts_dir=str(config.engine.prompts_dir),
        log_dir=str(directory / "log"),
        db_dir=str(directory / "db"),
        run_dir=str(directory / "run"),
        fallback_prompt=_apology(config.engine.default_language),
        fallbacks=fallbacks,
        switch_name=plan.switch_name,
        max_sessions=plan.max_sessions,
        sessions_per_second=plan.sessions_per_second,
    )


def _apology(language: str) -> str:
    """What the switch plays when no engine takes the call, in the language if we have it."""
    prompts = library.prompts_dir() / "general"
    spoken = prompts / language / "apology.wav"
    return str(spoken if spoken.exists() else prompts / "en" / "apology.wav")
