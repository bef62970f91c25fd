"""The kinds of values in the configuration: how each is written, and what of it is refused."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from dialplan.settings import PUBLIC_PASSWORD
from ivr_flows.say import LANGUAGES


class Address(BaseModel):
    """A host and a port, written `host:port` (`[::1]:9000` for IPv6)."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"must be host:port, got {value!r}")
        return {"host": host, "port": int(port)}


def _no_bool(value: object) -> object:
    # pydantic takes True for 1; in a configuration that is a slip of the pen.
    if isinstance(value, bool):
        raise ValueError("must be a number, got a truth value")
    return value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _place(value: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base", Path.cwd())
    return Path(os.path.normpath(Path(base) / value.expanduser()))


def _url(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            _ = parts.port
        except ValueError as fault:
            raise ValueError(f"is no URL ({fault})") from None
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


def _private(value: Address) -> Address:
    try:
        address = ip_address(value.host)
    except ValueError:
        return value  # a name; what it stands for is known when it is used
    if address.is_unspecified or not (address.is_loopback or address.is_private):
        raise ValueError(f"must be a loopback or private address, got {value.host}: whoever connects controls calls")
    return value


def _own_password(value: SecretStr) -> SecretStr:
    if value.get_secret_value().casefold() == PUBLIC_PASSWORD.casefold():
        raise ValueError("is FreeSWITCH's public default; choose another in both places")
    return value


def _country(value: str) -> str:
    if value not in SUPPORTED_REGIONS:
        raise ValueError(f"must be a country's two capital letters (ISO 3166: CZ, DE, GB), got {value!r}")
    return value


def _language(value: str) -> str:
    # a flow may bring prompts of any language; numbers and the apology are spoken in these
    if value not in LANGUAGES:
        raise ValueError(f"must be one of the languages that can be spoken ({', '.join(LANGUAGES)}), got {value!r}")
    return value


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1)]
Seconds = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=65535)]
Place = Annotated[Path, AfterValidator(_place)]
Secret = Annotated[SecretStr, Field(min_length=1)]
DatabaseUrl = Annotated[SecretStr, _url("postgresql", "postgresql+psycopg2")]
RedisUrl = Annotated[SecretStr, _url("redis", "rediss", "unix")]
HttpUrl = Annotated[SecretStr, _url("http", "https")]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
PrivateAddress = Annotated[Address, AfterValidator(_private)]
Country = Annotated[str, AfterValidator(_country)]
Language = Annotated[str, AfterValidator(_language)]
SwitchPassword = Annotated[Secret, AfterValidator(_own_password)]
Commas = BeforeValidator(_split)
"""A list may also be written as one text with commas."""
