"""Reads the configuration directory that a real FreeSWITCH is started with (`freeswitch -conf DIR`).

Only what the lab switch needs is taken from it; whatever else stands there is left alone, so the same
files serve both. `<X-PRE-PROCESS>` is understood for `set`, `set_global`, `stun-set`, `env-set` and `include`.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

_GLOBAL = re.compile(r"\$\$\{([^}]+)\}")


class ConfigError(Exception):
    """The configuration can't be used. The text names file and reason."""


@dataclass(frozen=True)
class Gateway:
    """A trunk: `sofia/gateway/<name>/<number>` goes to `proxy` (host, host:port)."""

    name: str
    proxy: str
    username: str = ""
    password: str = ""
    realm: str = ""
    from_user: str = ""
    register: bool = False
    profile: str = "external"
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """One SIP profile: where it listens, which dialplan context its calls enter."""

    name: str
    sip_ip: str = "127.0.0.1"
    sip_port: int = 5060
    rtp_ip: str = "127.0.0.1"
    context: str = "public"
    auth_calls: bool = False
    gateways: tuple[Gateway, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class User:
    """A directory user: a phone that registers and places calls."""

    name: str
    domain: str
    password: str = ""
    user_context: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """All that the lab switch knows about its world."""

    directory: Path
    esl_ip: str = "127.0.0.1"
    esl_port: int = 8021
    esl_password: str = "ClueCon"  # noqa: S105 FreeSWITCH's own default, which everybody knows
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    contexts: Mapping[str, etree._Element] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    rtp_start_port: int = 16384
    rtp_end_port: int = 32768
    max_sessions: int = 1000
    sessions_per_second: int = 30
    api_expansion: bool = True
    switch_name: str = "lab"
    modules: frozenset[str] = frozenset()
    sections: Mapping[str, etree._Element] = field(default_factory=dict)
    """The document as it was read: `configuration`, `dialplan`, `directory`."""

    def gateway(self, name: str) -> Gateway | None:
        """The trunk of that name, whichever profile it belongs to."""
        return next((g for p in self.profiles.values() for g in p.gateways if g.name == name), None)

    def user(self, name: str, domain: str = "") -> User | None:
        """The directory user of that name; an unknown or empty domain finds it in any."""
        found = [u for u in self.users if u.name == name]
        return next((u for u in found if u.domain == domain), found[0] if found else None)


def load(directory: Path | str) -> Config:
    """Read `directory`. Raises `ConfigError` with the file and the reason."""
    root_dir = Path(directory).resolve()
    reader = _Reader(root_dir)
    root = reader.document(root_dir / "freeswitch.xml")
    configurations = {c.get("name", ""): c for c in root.iter("configuration")}
    esl = _params(configurations.get("event_socket.conf"), "settings")
    core = _params(configurations.get("switch.conf"), "settings")
    try:
        return Config(
            directory=root_dir,
            esl_ip=esl.get("listen-ip", "127.0.0.1"),
            esl_port=int(esl.get("listen-port", "8021")),
            esl_password=esl.get("password", "ClueCon"),
            profiles=_profiles(configurations.get("sofia.conf")),
            users=_users(root),
            contexts={c.get("name", ""): c for c in root.iter("context")},
            variables=reader.variables,
            rtp_start_port=int(core.get("rtp-start-port", "16384")),
            rtp_end_port=int(core.get("rtp-end-port", "32768")),
            max_sessions=int(core.get("max-sessions", "1000")),
            sessions_per_second=int(core.get("sessions-per-second", "30")),
            api_expansion=is_true(core.get("api-expansion", "true")),
            switch_name=core.get("switchname", "lab"),
            modules=frozenset(each.get("module", "") for each in root.iter("load")),
            sections={each.get("name", ""): each for each in root.iter("section")},
        )
    except ValueError as error:
        raise ConfigError(f"{root_dir}: {error}") from error


def is_true(text: str | None) -> bool:
    """What FreeSWITCH takes for true."""
    if not text:
        return False
    return text.lower() in {"yes", "on", "true", "t", "enabled", "active", "allow"} or (
        text.lstrip("-").isdigit() and int(text) != 0
    )


class _Reader:
    """Resolves pre-processor instructions while it reads; variables count from where they are set on."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.variables: dict[str, str] = {
            "base_dir": str(base),
            "conf_dir": str(base),
            "local_ip_v4": "127.0.0.1",
            "hostname": "lab",
            "recordings_dir": str(base / "recordings"),
            "sounds_dir": str(base / "sounds"),
        }

    def document(self, path: Path) -> etree._Element:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
        root = self._parse(path)
        self._resolve(root, path)
        return root

    def _parse(self, path: Path, wrap: bool = False) -> etree._Element:
        parser = etree.XMLParser(remove_comments=True, remove_blank_text=True, resolve_entities=False, no_network=True)
        text = path.read_bytes()
        try:
            return etree.fromstring(b"<include>" + text + b"</include>" if wrap else text, parser)
        except etree.XMLSyntaxError as error:
            if not wrap and not text.lstrip().startswith(b"<?xml"):
                return self._parse(path, wrap=True)
            raise ConfigError(f"{path}: {error}") from error

    def _resolve(self, element: etree._Element, path: Path) -> None:
        for key, value in element.attrib.items():
            element.set(key, self._expand(str(value)))
        if element.text:
            element.text = self._expand(element.text)
        for child in list(element):
            if not isinstance(child.tag, str):
                element.remove(child)
            elif child.tag.upper() == "X-PRE-PROCESS":
                self._preprocess(element, child, path)
            else:
                self._resolve(child, path)

    def _preprocess(self, parent: etree._Element, child: etree._Element, path: Path) -> None:
        command, data = child.get("cmd", ""), child.get("data", "")
        if command in {"set", "set_global", "stun-set"}:
            name, _, value = data.partition("=")
            self.variables[name.strip()] = self._expand(value.strip())
        elif command == "env-set":
            name, _, value = data.partition("=")
            self.variables[name.strip()] = os.environ.get(value.strip().lstrip("$"), "")
        elif command == "include":
            position = parent.index(child)
            for name in sorted(glob.glob(str(path.parent / self._expand(data)))):
                included = self._parse(Path(name))
                self._resolve(included, Path(name))
                nodes = list(included) if included.tag == "include" else [included]
                for offset, node in enumerate(nodes):
                    parent.insert(position + offset, node)
                position += len(nodes)
        parent.remove(child)

    def _expand(self, text: str) -> str:
        return _GLOBAL.sub(lambda match: self.variables.get(match[1], ""), text)


def _params(element: etree._Element | None, inside: str = "") -> dict[str, str]:
    """`<param name= value=>` and `<variable name= value=>` children; the last of a name wins."""
    if element is not None and inside:
        element = element.find(inside)
    if element is None:
        return {}
    return {p.get("name", ""): p.get("value", "") for p in element if p.tag in {"param", "variable"}}


def _profiles(sofia: etree._Element | None) -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for element in sofia.iter("profile") if sofia is not None else ():
        name, params = element.get("name", ""), _params(element, "settings")
        found[name] = Profile(
            name=name,
            sip_ip=params.get("sip-ip", "127.0.0.1"),
            sip_port=int(params.get("sip-port", "5060")),
            rtp_ip=params.get("rtp-ip", params.get("sip-ip", "127.0.0.1")),
            context=params.get("context", "public"),
            auth_calls=is_true(params.get("auth-calls", "false")),
            gateways=tuple(_gateway(g, name) for g in element.iter("gateway")),
            params=params,
        )
    return found


def _gateway(element: etree._Element, profile: str) -> Gateway:
    params = _params(element)
    name = element.get("name", "")
    return Gateway(
        name=name,
        proxy=params.get("proxy", params.get("realm", name)),
        username=params.get("username", ""),
        password=params.get("password", ""),
        realm=params.get("realm", params.get("proxy", name)),
        from_user=params.get("from-user", ""),
        register=is_true(params.get("register", "true")),
        profile=profile,
        params=params,
    )


def _users(root: etree._Element) -> tuple[User, ...]:
    found = []
    for domain in root.iter("domain"):
        if domain.find("user") is None and domain.find("groups") is None and domain.find("users") is None:
            continue  # sofia.conf has `domain` elements of another kind
        shared, common = _params(domain, "variables"), _params(domain, "params")
        for element in domain.iter("user"):
            if element.get("type") == "pointer":
                continue
            params, variables = {**common, **_params(element, "params")}, {**shared, **_params(element, "variables")}
            found.append(
                User(
                    name=element.get("id", ""),
                    domain=domain.get("name", ""),
                    password=params.get("password", ""),
                    user_context=variables.get("user_context", ""),
                    params=params,
                    variables=variables,
                )
            )
    return tuple(found)
