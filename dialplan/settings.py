"""What a FreeSWITCH node is rendered from, and everything that is checked before a file is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import PurePosixPath

from dialplan.faults import Collector, Fault, SettingsError

SHORTEST_PASSWORD = 16
"""Characters of the event socket's password: whoever knows it commands the switch and its machine."""
SHORTEST_AGENT_PASSWORD = 10
CODECS = ("PCMA", "PCMU")
"""What FreeSWITCH speaks without a codec module."""
LOG_LEVELS = ("debug", "info", "notice", "warning", "err", "crit", "alert")

_PRIVATE = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
)
_WIDEST_TRUNK = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_AGENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PASSWORD = re.compile(r"[!-~]+")
_SIP_USER = re.compile(r"[A-Za-z0-9+._@-]{1,64}")
_PREFIX = re.compile(r"[+]?[0-9*#]{0,12}")
_NUMBER = re.compile(r"[+]?[0-9]{3,15}")
_E164 = re.compile(r"[+][1-9][0-9]{5,14}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]*")

PUBLIC_PASSWORD = "ClueCon"  # noqa: S105 - known to everybody
"""The event socket's password in FreeSWITCH as it comes."""


def password_weakness(password: str) -> str:
    """Why the event socket must not have this password; empty for a good one."""
    if not password:
        return "is empty"
    if password.casefold() == PUBLIC_PASSWORD.casefold():
        return "is the public default of FreeSWITCH"
    if len(password) < SHORTEST_PASSWORD:
        return f"is shorter than {SHORTEST_PASSWORD} characters"
    return ""


@dataclass(frozen=True, slots=True)
class EventSocket:
    """Where the switch listens for the engines' control connections."""

    password: str = field(repr=False)
    ip: str = "127.0.0.1"
    """Loopback or a private network: the protocol is not encrypted."""
    port: int = 8021
    allow: tuple[str, ...] = ()
    """Networks (CIDR) besides loopback and the engines' own addresses that may connect: monitoring, for instance."""


@dataclass(frozen=True, slots=True)
class SipListen:
    """Where a SIP profile listens."""

    ip: str
    port: int
    public_ip: str = ""
    """The address that the far side sees when a NAT stands between; empty for none."""
    tls_port: int | None = None
    """Port for SIP over TLS 1.2 and later (R123), None for none; needs `tls_dir`."""
    tls_dir: str = ""
    """Directory with `agent.pem` (certificate and key) and `cafile.pem`."""


@dataclass(frozen=True, slots=True)
class Rtp:
    """Where media goes. Each leg takes two ports (RTP and RTCP)."""

    ip: str
    first_port: int = 16384
    last_port: int = 32767
    public_ip: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """A phone that registers: SIP user `id` in the settings' domain."""

    id: str
    password: str = field(repr=False)
    display: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A line to an operator: `sofia/gateway/<name>/<number>`."""

    name: str
    proxy: str
    """`host` or `host:port` of the operator's SIP server."""
    username: str = ""
    password: str = field(default="", repr=False)
    register: bool = False
    prefix: str = ""
    """Put before every number that goes out here."""
    networks: tuple[str, ...] = ()
    """Networks (CIDR) whose calls are taken; empty: the proxy's own address, which then must be an IP address."""
    ping_s: int | None = None
    """Seconds between OPTIONS that tell whether the line is up; None for an operator who does not answer them."""


@dataclass(frozen=True, slots=True)
class NumberFallback:
    """Where the calls to a number go when no engine takes them (R12), both E.164 with `+`."""

    number: str
    to: str


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """One FreeSWITCH node. Passwords are left out of `repr`."""

    engines: tuple[str, ...]
    """`address:port` of every engine, in the order in which they are tried."""
    event_socket: EventSocket
    sip_external: SipListen
    """Trunks."""
    sip_internal: SipListen
    """Agents' phones."""
    rtp: Rtp
    domain: str
    agents: tuple[Agent, ...]
    trunks: tuple[Trunk, ...]
    recordings_dir: str
    prompts_dir: str
    log_dir: str
    db_dir: str
    run_dir: str
    fallback_prompt: str
    """Spoken when no engine takes the call; absolute, or relative to `prompts_dir`."""
    max_sessions: int = 5000
    """Most legs at once. Above the engines' own limits, so that theirs act first and an emergency call gets through."""
    sessions_per_second: int = 100
    codecs: tuple[str, ...] = CODECS
    rounds: int = 4
    """How often the engines are tried before the caller hears the fallback."""
    pauses_ms: tuple[int, ...] = (500, 1000, 2000)
    """Pauses between the rounds; the last one repeats."""
    fallbacks: tuple[NumberFallback, ...] = ()
    """Numbers whose calls are sent on over the trunks before the apology is spoken."""
    emergency_caller_id: str = ""
    """Number shown when an agent's emergency call goes out without an engine; empty: as the phone sends it."""
    ping_phones: bool = True
    """Whether registered phones are asked (OPTIONS) if they are still there, and forgotten when not (R5)."""
    log_level: str = "info"
    switch_name: str = ""
    """What the switch calls itself in events (`FreeSWITCH-Switchname`); empty: its host's name."""

    def prompt_path(self) -> str:
        """The fallback prompt's absolute path."""
        return str(PurePosixPath(self.prompts_dir) / self.fallback_prompt)

    def trunk_networks(self) -> tuple[str, ...]:
        """Every network whose calls the external profile takes, sorted, each once. Call it on checked settings."""
        found = {str(network) for trunk in self.trunks for network in networks_of(trunk.networks, trunk.proxy)}
        return tuple(sorted(found))

    def control_networks(self) -> tuple[str, ...]:
        """Every network that may open the event socket, sorted, each once. Call it on checked settings."""
        found = {"127.0.0.1/32", *(str(ip_network(network)) for network in self.event_socket.allow)}
        found |= {f"{engine.rpartition(':')[0]}/32" for engine in self.engines}
        return tuple(sorted(found))

    def faults(self) -> tuple[Fault, ...]:
        """Everything that would make the switch unsafe or broken, with its place; empty when all is well."""
        faults = Collector()
        _check_engines(self, faults)
        _check_event_socket(self.event_socket, faults)
        _check_sip(self, faults)
        _check_rtp(self, faults)
        _check_agents(self, faults)
        _check_trunks(self, faults)
        _check_fallbacks(self, faults)
        _check_paths(self, faults)
        _check_limits(self, faults)
        return tuple(faults.faults)

    def check(self) -> None:
        """Raises `SettingsError` with all faults."""
        faults = self.faults()
        if faults:
            raise SettingsError(faults)


def _check_engines(settings: RenderSettings, faults: Collector) -> None:
    if not settings.engines:
        faults.add("engines", "is empty: nobody would take a call")
    for index, engine in enumerate(settings.engines):
        place = f"engines[{index}]"
        host, _, port = engine.rpartition(":")
        address = _address(host)
        if not isinstance(address, IPv4Address) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            faults.add(
                place, f'"{engine}" is not address:port (an IPv4 address: a name would be looked up in every call)'
            )
        elif not _is_private(address):
            faults.add(place, f"{host} is not loopback or private: the connection has neither password nor encryption")
        if engine in settings.engines[:index]:
            faults.add(place, f'"{engine}" stands there twice')


def _check_event_socket(socket: EventSocket, faults: Collector) -> None:
    address = _address(socket.ip)
    if address is None:
        faults.add("event_socket.ip", f'"{socket.ip}" is not an IP address')
    elif not _is_private(address):
        faults.add("event_socket.ip", f"{socket.ip} is not loopback or private: the protocol is not encrypted")
    _check_port(socket.port, "event_socket.port", faults)
    if weakness := password_weakness(socket.password):
        faults.add("event_socket.password", weakness)
    _check_secret(socket.password, "event_socket.password", faults)
    for index, network in enumerate(socket.allow):
        _check_network(network, f"event_socket.allow[{index}]", faults)


def _check_sip(settings: RenderSettings, faults: Collector) -> None:
    taken: dict[tuple[str, int], str] = {}
    for place, sip in (("sip_external", settings.sip_external), ("sip_internal", settings.sip_internal)):
        if _address(sip.ip) is None:
            faults.add(f"{place}.ip", f'"{sip.ip}" is not an IP address')
        if sip.public_ip and _address(sip.public_ip) is None:
            faults.add(f"{place}.public_ip", f'"{sip.public_ip}" is not an IP address')
        ports = [(f"{place}.port", sip.port)]
        if sip.tls_port is not None:
            ports.append((f"{place}.tls_port", sip.tls_port))
            _check_path(sip.tls_dir, f"{place}.tls_dir", faults)
        for where, port in ports:
            _check_port(port, where, faults)
            if (sip.ip, port) in taken:
                faults.add(where, f"{port} is the port of {taken[sip.ip, port]} too")
            taken[sip.ip, port] = where
            if sip.ip == settings.rtp.ip and settings.rtp.first_port <= port <= settings.rtp.last_port:
                faults.add(where, f"{port} lies within the media ports")
    if not _HOST.fullmatch(settings.domain):
        faults.add("domain", f'"{settings.domain}" is not a domain')


def _check_rtp(settings: RenderSettings, faults: Collector) -> None:
    rtp = settings.rtp
    if _address(rtp.ip) is None:
        faults.add("rtp.ip", f'"{rtp.ip}" is not an IP address')
    if rtp.public_ip and _address(rtp.public_ip) is None:
        faults.add("rtp.public_ip", f'"{rtp.public_ip}" is not an IP address')
    _check_port(rtp.first_port, "rtp.first_port", faults, lowest=1024)
    _check_port(rtp.last_port, "rtp.last_port", faults, lowest=1024)
    room = (rtp.last_port - rtp.first_port) // 2
    if room < 1:
        faults.add("rtp.last_port", f"{rtp.last_port} is not above {rtp.first_port}")
    elif room < settings.max_sessions:
        faults.add("rtp", f"{rtp.first_port} to {rtp.last_port} is room for {room} legs, not {settings.max_sessions}")


def _check_agents(settings: RenderSettings, faults: Collector) -> None:
    seen: set[str] = set()
    for index, agent in enumerate(settings.agents):
        place = f"agents[{index}]"
        if not _AGENT_ID.fullmatch(agent.id):
            faults.add(f"{place}.id", f'"{agent.id}" is not a SIP user (letters, digits, dot, dash, underscore)')
        if agent.id in seen:
            faults.add(f"{place}.id", f'"{agent.id}" stands there twice')
        seen.add(agent.id)
        # A short id (`7`) stands in many good passwords by chance.
        holds_id = len(agent.id) >= 4 and agent.id.casefold() in agent.password.casefold()
        if len(agent.password) < SHORTEST_AGENT_PASSWORD or holds_id:
            faults.add(
                f"{place}.password", f"is shorter than {SHORTEST_AGENT_PASSWORD} characters or holds the agent's id"
            )
        _check_secret(agent.password, f"{place}.password", faults)


def _check_trunks(settings: RenderSettings, faults: Collector) -> None:
    seen: set[str] = set()
    for index, trunk in enumerate(settings.trunks):
        place = f"trunks[{index}]"
        if not _NAME.fullmatch(trunk.name):
            faults.add(f"{place}.name", f'"{trunk.name}" is not a name (letters, digits, dash, underscore)')
        if trunk.name in seen:
            faults.add(f"{place}.name", f'"{trunk.name}" stands there twice')
        seen.add(trunk.name)
        host, _, port = trunk.proxy.partition(":")
        if not _HOST.fullmatch(host) or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
            faults.add(f"{place}.proxy", f'"{trunk.proxy}" is not host or host:port')
        if trunk.register and not (trunk.username and trunk.password):
            faults.add(f"{place}.register", "needs a username and a password")
        if trunk.username and not _SIP_USER.fullmatch(trunk.username):
            faults.add(f"{place}.username", f'"{trunk.username}" is not a SIP user')
        _check_secret(trunk.password, f"{place}.password", faults)
        if not _PREFIX.fullmatch(trunk.prefix):
            faults.add(f"{place}.prefix", f'"{trunk.prefix}" is not a prefix (digits, *, #, + in front)')
        if not trunk.networks and not isinstance(_address(host), IPv4Address):
            faults.add(f"{place}.networks", "is empty: name the networks that the calls of this trunk come from")
        for number, network in enumerate(trunk.networks):
            _check_network(network, f"{place}.networks[{number}]", faults)
        if trunk.ping_s is not None and trunk.ping_s < 5:
            faults.add(f"{place}.ping_s", f"{trunk.ping_s} is less than 5 seconds")


def _check_fallbacks(settings: RenderSettings, faults: Collector) -> None:
    if settings.fallbacks and not settings.trunks:
        faults.add("fallbacks", "cannot be called: there is no trunk")
    seen: set[str] = set()
    for index, fallback in enumerate(settings.fallbacks):
        for name, number in (("number", fallback.number), ("to", fallback.to)):
            if not _E164.fullmatch(number):
                faults.add(f"fallbacks[{index}].{name}", f'"{number}" is not a number with + and country code')
        if fallback.number in seen:
            faults.add(f"fallbacks[{index}].number", f'"{fallback.number}" stands there twice')
        seen.add(fallback.number)


def _check_paths(settings: RenderSettings, faults: Collector) -> None:
    for name in ("recordings_dir", "prompts_dir", "log_dir", "db_dir", "run_dir"):
        _check_path(getattr(settings, name), name, faults)
    if not settings.fallback_prompt:
        faults.add("fallback_prompt", "is empty")
    elif _PATH.fullmatch(settings.prompts_dir):
        _check_path(settings.prompt_path(), "fallback_prompt", faults)


def _check_limits(settings: RenderSettings, faults: Collector) -> None:
    for name in ("max_sessions", "sessions_per_second", "rounds"):
        if getattr(settings, name) < 1:
            faults.add(name, f"{getattr(settings, name)} is less than 1")
    if settings.rounds > 20:
        faults.add("rounds", f"{settings.rounds} is more than 20: a caller does not ring that long")
    if not settings.pauses_ms or not all(1 <= pause <= 10_000 for pause in settings.pauses_ms):
        faults.add("pauses_ms", "is empty or has a pause outside 1 to 10000 ms")
    if not settings.codecs:
        faults.add("codecs", "is empty")
    for index, codec in enumerate(settings.codecs):
        if codec not in CODECS:
            faults.add(f"codecs[{index}]", f'"{codec}" is not one of {", ".join(CODECS)}')
    if settings.emergency_caller_id and not _NUMBER.fullmatch(settings.emergency_caller_id):
        faults.add("emergency_caller_id", f'"{settings.emergency_caller_id}" is not a number')
    if settings.switch_name and not _HOST.fullmatch(settings.switch_name):
        faults.add("switch_name", f'"{settings.switch_name}" is not a name (letters, digits, dots, dashes)')
    if settings.log_level not in LOG_LEVELS:
        faults.add("log_level", f'"{settings.log_level}" is not one of {", ".join(LOG_LEVELS)}')


def _check_port(port: int, place: str, faults: Collector, lowest: int = 1) -> None:
    if not lowest <= port <= 65535:
        faults.add(place, f"{port} is not a port from {lowest} to 65535")


def _check_secret(secret: str, place: str, faults: Collector) -> None:
    """The value of a secret never stands in a fault's text."""
    if secret and (not _PASSWORD.fullmatch(secret) or "${" in secret):
        faults.add(place, "holds something else than printable ASCII without spaces, or ${")


def _check_path(path: str, place: str, faults: Collector) -> None:
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        faults.add(place, f'"{path}" is not an absolute path of letters, digits, dots, dashes and underscores')


def _check_network(network: str, place: str, faults: Collector) -> None:
    try:
        found = ip_network(network)
    except ValueError:
        faults.add(place, f'"{network}" is not a network (192.0.2.0/24)')
        return
    if found.prefixlen < _WIDEST_TRUNK:
        faults.add(place, f"{network} is wider than /{_WIDEST_TRUNK}: it would let strangers in")


def networks_of(networks: Sequence[str], proxy: str) -> list[IPv4Network | IPv6Network]:
    """The networks whose calls a trunk takes. Raises ValueError where neither they nor the proxy are addresses."""
    return [ip_network(network) for network in networks or (proxy.partition(":")[0],)]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE if network.version == address.version)
