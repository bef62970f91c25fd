"""The one configuration: a TOML file overlaid by the environment, checked as a whole before anything starts.

`load()` reads `--config`, else the file that CALLWRIGHT_CONFIG names, else `callwright.toml` if there is one. A
variable `CALLWRIGHT_<SECTION>__<FIELD>` replaces a value of the file: `CALLWRIGHT_REDIS__URL`,
`CALLWRIGHT_SWITCHES__0__PASSWORD`. A secret may stand in a file of its own: `password_file = "/run/secrets/switch"` in
place of `password`. What a section leaves out has its default; what a process cannot do without it asks for by
`Config.require`. Relative paths are taken from the directory of the configuration file. docs/operations.md lists every
field, from the docstrings here.

Errors:
    ConfigError     everything that is wrong, each with its place, in `faults`
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dialplan.faults import RouteError
from dialplan.routes import taken_by
from engine.config_reader import ConfigError, read
from engine.config_values import (
    Address,
    Commas,
    Count,
    Country,
    DatabaseUrl,
    HttpUrl,
    Language,
    Name,
    Origin,
    Place,
    Port,
    PrivateAddress,
    RedisUrl,
    Seconds,
    Secret,
    SwitchPassword,
)

__all__ = ["Address", "Config", "ConfigError", "load"]


class Section(BaseModel):
    """A section: read-only, nothing unknown in it, its fields described by the text below each."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


class Engine(Section):
    """The process that runs the calls."""

    name: Name = "engine-1"
    """The engine's name, different for each: in journals, leases, logs."""
    listen: PrivateAddress = Address(host="127.0.0.1", port=9009)
    """Where the switch's `socket` action connects. It has no password: loopback or a private network only."""
    max_sessions: Count = 2000
    """Calls at once; above that a call is refused and the switch takes the next engine of its list."""
    connect_deadline_s: Seconds = 10
    """A switch that connects must have sent its first answer by then. FreeSWITCH itself waits 25 s."""
    drain_timeout_s: Seconds = 300
    """After SIGTERM: how long running calls may go on before they are handed to another engine."""
    state_dir: Place = Path(".callwright")
    """What must outlive the process: spools of journals and call records; all data of `callwright up`."""
    prompts_dir: Place = Field(default_factory=lambda data: data.get("state_dir", Path()) / "prompts")
    """The customer's prompts; flows name files below it. The switch reads them. Default: `prompts` in `state_dir`."""
    recordings_dir: Place = Field(default_factory=lambda data: data.get("state_dir", Path()) / "recordings")
    """Where the switch writes recordings until they are stored. Default: `recordings` in `state_dir`."""
    default_country: Country = "CZ"
    """Country of numbers that come without one (ISO 3166)."""
    default_language: Language = "cs"
    """Language of a call whose flow sets none (ISO 639-1)."""
    max_call_seconds: Count = 14400
    """A call that lasts longer is ended: the guard against a channel that nobody hangs up."""
    unrecorded_numbers: Annotated[tuple[str, ...], Commas] = ()
    """Own numbers, extensions and prefixes with `*`: no conversation from, to or with one of them is ever recorded."""

    @field_validator("unrecorded_numbers")
    @classmethod
    def _patterns(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        try:
            taken_by(value, info.data.get("default_country", "CZ"))
        except RouteError as error:
            raise ValueError("; ".join(fault.message for fault in error.faults)) from None
        return value

    @field_validator("prompts_dir")
    @classmethod
    def _there(cls, value: Path, info: ValidationInfo) -> Path:
        # the default is made with the state directory; one that somebody named and that is not there is a slip
        if value != info.data.get("state_dir", Path()) / "prompts" and not value.is_dir():
            raise ValueError(f"is no directory: {value}")
        return value


class Switch(Section):
    """One FreeSWITCH (or lab switch), reached over its event socket."""

    name: Name
    """The switch's name as it calls itself (FreeSWITCH-Switchname)."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Host of the event socket."""
    port: Port = 8021
    """Port of the event socket."""
    password: SwitchPassword
    """Password of the event socket."""
    password_file: Place | None = None
    """File with the password."""


def _different_names(value: tuple[Switch, ...]) -> tuple[Switch, ...]:
    names = [switch.name for switch in value]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two of them have the name {', '.join(twice)}; each switch needs a name of its own")
    return value


class _Server(Section):
    password: SecretStr | None = None
    """Password, where the URL holds none."""
    password_file: Place | None = None
    """File with the password."""

    def _with_password(self, url: SecretStr | None) -> str:
        if url is None:
            raise ConfigError([f"{type(self).__name__.lower()}.url: is not set"])
        plain = url.get_secret_value()
        if self.password is None:
            return plain
        parts = urlsplit(plain)
        user, _, host = parts.netloc.rpartition("@")
        user = user.partition(":")[0]
        return urlunsplit(parts._replace(netloc=f"{user}:{quote(self.password.get_secret_value(), safe='')}@{host}"))


class Database(_Server):
    """PostgreSQL."""

    url: DatabaseUrl | None = None
    """`postgresql://user@host:5432/callwright`. Not set: `callwright up` starts its own."""

    @property
    def dsn(self) -> str:
        """The URL with the password in it. Raises ConfigError when there is no URL."""
        return self._with_password(self.url)


class Redis(_Server):
    """Redis or Valkey."""

    url: RedisUrl | None = None
    """`redis://host:6379/0`, `rediss://` for TLS. Not set: `callwright up` starts its own."""

    @property
    def dsn(self) -> str:
        """The URL with the password in it. Raises ConfigError when there is no URL."""
        return self._with_password(self.url)


class S3(Section):
    """Object storage of recordings and messages."""

    endpoint_url: HttpUrl | None = None
    """Address of the service. Not set: `callwright up` starts its own."""
    region: str = "us-east-1"
    """Region, for services that have several."""
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "callwright"
    """The bucket."""
    access_key: SecretStr | None = None
    """Access key."""
    access_key_file: Place | None = None
    """File with the access key."""
    secret_key: SecretStr | None = None
    """Secret key."""
    secret_key_file: Place | None = None
    """File with the secret key."""


class Api(Section):
    """The admin API."""

    listen: Address = Address(host="127.0.0.1", port=8080)
    """Where the API listens."""
    keys: Annotated[tuple[Secret, ...], Commas] = ()
    """Keys that hold every right, for the first start; afterwards keys are made over the API."""
    keys_file: Place | None = None
    """File with such keys, one a line."""
    link_expiry_s: Count = 300
    """How long a link to a recording works."""


class Recordings(Section):
    """The process that brings recordings from the switch's disk to object storage."""

    poll_s: Seconds = 5
    """How often the directory is looked over, besides the announcements that come at once."""
    workers: Count = 1
    """Recordings handled at once."""


class Speech(Section):
    """The process that speaks texts, and what waits for it."""

    wait_s: Seconds = 5
    """How long a call waits for a text that was never spoken before; then the node takes its exit `error`."""
    workers: Count = 2
    """Texts spoken at once. Of two or more, one takes nothing but what calls wait for."""
    keep_days: Count = 30
    """A spoken text that no call has used for so long is deleted; it is spoken again when it is wanted."""
    piper_voices_dir: Place | None = None
    """Directory with voices of Piper (`cs_CZ-jirka-medium.onnx` and its `.json`). A language that has none is spoken by
    espeak-ng."""
    piper_program: Annotated[str, Field(min_length=1)] = "piper"
    """The program of Piper, by name or path."""


class HttpSecret(Section):
    """A header's value that stands in no flow, and where it may be sent."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    """By which flows name it."""
    value: Secret
    """The header's value, `Bearer …` for example."""
    value_file: Place | None = None
    """File with the value."""
    origins: Annotated[tuple[Origin, ...], Commas, Field(min_length=1)]
    """The origins to which it may go, of those in `http`."""


class Http(Section):
    """What the flows' node `http` may ask. Everything that isn't named is refused."""

    origins: Annotated[tuple[Origin, ...], Commas] = ()
    """Services: `https://crm.example.com`, `http://10.1.2.3:8080`."""
    networks: Annotated[tuple[IPvAnyNetwork, ...], Commas] = ()
    """Networks that may be asked although their addresses are private or special: `10.1.2.0/24`. `127.0.0.0/8` lets
    flows ask the engine's own machine. Link-local addresses and the clouds' metadata services, which may give out the
    machine's credentials, are opened only by a network that is no wider than they are: `169.254.169.254/32`."""
    ca_file: Place | None = None
    """Certificates of the authorities to trust, in place of the system's."""


class Dialplan(Section):
    """What `callwright dialplan render` writes into FreeSWITCH's configuration."""

    engines: Annotated[tuple[Address, ...], Commas] = ()
    """The engines in the order in which a call tries them. Empty: `engine.listen` alone."""
    event_socket_listen: Address = Address(host="127.0.0.1", port=8021)
    """Where the switch's event socket listens."""
    event_socket_password: SecretStr | None = None
    """Password of the event socket."""
    event_socket_password_file: Place | None = None
    """File with the password."""
    sip_external: Address = Address(host="127.0.0.1", port=5080)
    """Trunks and gateways."""
    sip_internal: Address = Address(host="127.0.0.1", port=5060)
    """Agents' phones."""
    rtp_ip: str = "127.0.0.1"
    """Address of the media."""
    rtp_first_port: Port = 16384
    """First port of the media."""
    rtp_last_port: Port = 32767
    """Last port of the media."""
    switch_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,63}$")] = ""
    """What the switch calls itself (FreeSWITCH-Switchname). Empty: its machine's name."""
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] = "callwright.local"
    """The phones' SIP domain."""
    max_sessions: Count = 5000
    """Channels at once."""
    sessions_per_second: Count = 100
    """New channels a second."""

    @model_validator(mode="after")
    def _range(self) -> Dialplan:
        if self.rtp_first_port >= self.rtp_last_port:
            raise ValueError(f"rtp_last_port must be above rtp_first_port ({self.rtp_first_port})")
        return self


class Log(Section):
    """Logging, to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)
    ] = "info"
    """The least weighty level that is written."""
    format: Literal["text", "json"] = "text"
    """`text` for people, `json` (one object a line) for a log collector."""


class Config(Section):
    """All of it."""

    engine: Engine = Field(default_factory=Engine)
    switches: Annotated[tuple[Switch, ...], AfterValidator(_different_names)] = ()
    """The switches whose calls this engine serves."""
    database: Database = Field(default_factory=Database)
    redis: Redis = Field(default_factory=Redis)
    s3: S3 = Field(default_factory=S3)
    api: Api = Field(default_factory=Api)
    recordings: Recordings = Field(default_factory=Recordings)
    speech: Speech = Field(default_factory=Speech)
    http: Http = Field(default_factory=Http)
    http_secrets: tuple[HttpSecret, ...] = ()
    """Headers with keys of services."""
    dialplan: Dialplan = Field(default_factory=Dialplan)
    log: Log = Field(default_factory=Log)

    def require(self, *paths: str) -> None:
        """Raise ConfigError with each of the dotted paths that is not set: `require("database.url", "switches")`."""
        faults = []
        for path in paths:
            value: Any = self
            for part in path.split("."):
                value = getattr(value, part)
            if value is None or value == ():
                variable = "CALLWRIGHT_" + path.upper().replace(".", "__")
                faults.append(f"{path}: must be set here, in the configuration file or as {variable}")
        if faults:
            raise ConfigError(faults)


def load(path: str | Path | None = None, env: Mapping[str, str] = os.environ) -> Config:
    """Read, overlay and check the configuration. Raises ConfigError with every fault at once."""
    return read(Config, Path(path) if path is not None else None, env)
