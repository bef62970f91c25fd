"""The configuration as our child processes get it: one TOML file that its owner alone may read."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from callwright.local.process import Process
from engine.config import Address, Config
from engine.domain.speech import PROCESS


def command(config_file: Path, name: str) -> list[str]:
    """The command line of one of our processes."""
    if name == "engine":  # without the detour over the command line, which would only execute it anew
        return [sys.executable, "-m", "callwright.engine_process", "--config", str(config_file)]
    return [sys.executable, "-m", "callwright", "--config", str(config_file), name]


def launch(
    name: str,
    config_file: Path,
    log_dir: Path,
    *,
    number: int | None = None,
    env: Mapping[str, str] | None = None,
    inherit: Sequence[int] = (),
) -> Process:
    """Start `engine`, `api`, `recordings` or `speech`; `number` tells several of a kind apart."""
    label = name if number is None else f"{name}-{number}"
    argv = command(config_file, name)
    # The configuration is complete: what stands in our environment has gone into it and must not go over it again.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CALLWRIGHT_")} | dict(env or {})
    # gunicorn ends its workers by itself, the others have no children
    death_signal = signal.SIGTERM if name == "api" else signal.SIGKILL
    log = log_dir / f"{label}.log"
    return Process(label, argv, log=log, env=kept, death_signal=death_signal, inherit=inherit)


def speech_ready(redis_url: str) -> bool:
    """Whether a speech process gives its sign of life; with a Redis that does not answer there is none to wait for."""
    import redis

    try:
        with redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
            return next(client.scan_iter(f"{PROCESS}*", count=1000), None) is not None
    except redis.RedisError:
        return True


def write(config: Config, file: Path) -> None:
    """Write the configuration with its secrets. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(as_toml(as_data(config)), encoding="utf-8")
    fresh.rename(file)


def as_data(config: BaseModel) -> dict[str, Any]:
    """The configuration as plain values, secrets and all; what is not set is left out."""
    data = {}
    for name in type(config).model_fields:
        value = _plain(getattr(config, name))
        if value is not None and not name.endswith("_file"):
            data[name] = value
    return data


def as_toml(data: dict[str, Any]) -> str:
    """TOML for values, lists, sections and lists of sections."""
    plain = {name: value for name, value in data.items() if not _is_section(value)}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    for name, value in data.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", as_toml(value)]
        elif _is_section(value):
            for item in value:
                lines += ["", f"[[{name}]]", as_toml(item)]
    return "\n".join(lines)


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Address | Path):
        return str(value)
    if isinstance(value, BaseModel):
        return as_data(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's texts, numbers and truth values are TOML's too, except for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def api_ready(listen: Address) -> bool:
    """Whether the admin API says that it is ready."""
    connection = http.client.HTTPConnection(listen.host, listen.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
