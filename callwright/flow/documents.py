"""Flows for the commands: from a file, or from the API as `<flow>@<version>` or `<flow>@active`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from callwright.client import Client
    from ivr_flows import Finding

UNREADABLE = ("bad_file", "bad_json")
"""Codes of findings that say: nothing could be read at all."""

LARGEST_BYTES = 10_000_000
"""Of a file; the checks themselves refuse less, with a word on how to mend it."""

_C = TypeVar("_C", bound=Callable[..., Any])


def read_text(file: Path) -> str | Finding:
    """The file's text, or what is wrong with the file."""
    from ivr_flows import Finding

    def wrong(message: str) -> Finding:
        return Finding("error", "bad_file", None, None, message)

    try:
        if file.stat().st_size > LARGEST_BYTES:
            return wrong(f"the file has more than {LARGEST_BYTES} bytes, which is no flow")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return wrong(f"the file is not UTF-8 text: byte {error.start}; save it as UTF-8")
    except OSError as error:
        return wrong(f"the file can't be read: {error.strerror}")


def read_document(file: Path) -> dict[str, Any]:
    """The document in a file. Raises click's error, which ends the command with 2."""
    from ivr_flows import document

    text = read_text(file)
    if not isinstance(text, str):
        raise click.UsageError(f"{file}: {text.message}")
    try:
        return document.read(text)
    except document.Unreadable as error:
        raise click.UsageError(f"{file}: {error}") from None


def remote(command: _C) -> _C:
    """The options of a command that asks the API."""
    url = click.option(
        "--api", envvar="API", help="Where the API is.  [env: API; default: api.listen of the configuration]"
    )
    key = click.option("--key", envvar="KEY", help="A key of the API.  [env: KEY; default: the configuration's first]")
    return url(key(command))


def client(context: click.Context, api: str | None, key: str | None) -> Client:
    """A client of the API that the options name; else of the one that the configuration has."""
    from callwright.client import Client
    from engine.config import load

    if api is None or key is None:
        config = load(context.find_root().obj).api
        if key is None and not config.keys:
            raise click.UsageError("no key of the API: give --key, set KEY, or configure api.keys")
        host = config.listen.host if config.listen.host not in ("0.0.0.0", "::", "") else "127.0.0.1"
        api = api or f"http://{f'[{host}]' if ':' in host else host}:{config.listen.port}"
        key = key or config.keys[0].get_secret_value()
    if not api.startswith(("http://", "https://")):
        raise click.UsageError(f"--api must begin with http:// or https://, not {api!r}")
    return Client(api, key)


def find(what: str, ask: Callable[[], Client]) -> dict[str, Any]:
    """The document of a file, of `<flow>@<version>`, or of `<flow>@active`. `ask` is called when the API is needed."""
    flow, at, version = what.partition("@")
    if not at or Path(what).exists():
        return read_document(Path(what))
    from callwright.client import path

    api = ask()
    if version == "active":
        version = api.get(path("flows", flow))["active_version"]
        if version is None:
            raise click.UsageError(f"no version of the flow {flow!r} is active; name one, as {flow}@<version>")
    found: dict[str, Any] = json.loads(json.dumps(api.get(path("flows", flow, "versions", version))))
    return found
