"""Reads a configuration model from TOML and environment, and says everything that is wrong with it in one go.

The model decides what exists; this module only knows how a value's place is called: the file and the dotted field, or
the environment variable. Values of secret fields never stand in a message.

Errors:
    ConfigError     everything that is wrong, each with its place, in `faults`
"""

from __future__ import annotations

import difflib
import itertools
import json
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

PREFIX = "CALLWRIGHT_"
FILE_VARIABLE = "CALLWRIGHT_CONFIG"
DEFAULT_FILE = "callwright.toml"

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]


class ConfigError(Exception):
    """The configuration cannot be used. `faults` holds every fault as `place: what is wrong`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def read(model: type[Model], path: Path | None, env: Mapping[str, str]) -> Model:
    """The model filled from file and environment. Raises ConfigError."""
    file = _file(path, env)
    reading = _Reading(model, file)
    data = reading.from_file()
    reading.overlay(data, env)
    reading.read_secret_files(model, data, ())
    for name, field in model.model_fields.items():
        if _section(field.annotation) and not _is_tuple(field.annotation):
            data.setdefault(name, {})  # so that its defaults are checked with this file's directory
    try:
        made = model.model_validate(data, context={"base": reading.base})
    except ValidationError as error:
        reading.faults += reading.explain(error)
    if reading.faults:
        raise ConfigError(reading.faults)
    return made


def _file(path: Path | None, env: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if env.get(FILE_VARIABLE):
        return Path(env[FILE_VARIABLE])
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


class _Reading:
    """One reading: the faults so far, and which variable each value came from."""

    def __init__(self, model: type[BaseModel], file: Path | None) -> None:
        self.model = model
        self.file = file
        self.base = (file.absolute().parent if file else Path.cwd()).resolve()
        self.faults: list[str] = []
        self.variables: dict[Path_, str] = {}

    def from_file(self) -> dict[str, Any]:
        if self.file is None:
            return {}
        try:
            return tomllib.loads(self.file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError([f"{self.file}: cannot be read: {error.strerror}"]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError([f"{self.file}: is no TOML: {error}"]) from error

    def overlay(self, data: dict[str, Any], env: Mapping[str, str]) -> None:
        """Put the variables over the file's values."""
        names = sorted(n for n in env if n.startswith(PREFIX) and n != FILE_VARIABLE)
        for name in names:
            parts = [int(p) if p.isdigit() else p for p in name.removeprefix(PREFIX).lower().split("__")]
            field = _field(self.model, tuple(parts))
            if field is None:
                self.faults.append(f"environment {name}: unknown{_guess_variable(self.model, parts)}")
            elif _section(field) and not _is_tuple(field):
                self.faults.append(f"environment {name}: names a section; write {name}__<FIELD>")
            else:
                self._put(data, tuple(parts), self._value(name, env[name], field), name)

    def _value(self, name: str, text: str, field: Any) -> Any:
        if not text.startswith("["):
            return text
        try:
            return json.loads(text) if _is_tuple(field) else text
        except ValueError as error:
            self.faults.append(f"environment {name}: begins like a JSON list but is none: {error}")
            return []

    def _put(self, data: dict[str, Any], path: Path_, value: Any, name: str) -> None:
        place: Any = data
        for part, following in itertools.pairwise(path):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(place, list) and isinstance(part, int):
                if part > len(place):
                    self.faults.append(
                        f"environment {name}: there are only {len(place)}, number {part} comes too early"
                    )
                    return
                place.extend([empty] if part == len(place) else [])
                place = place[part]
            elif isinstance(place, dict):
                place = place.setdefault(part, empty)
        last = path[-1]
        if isinstance(place, dict):
            place[last] = value
        elif isinstance(place, list) and isinstance(last, int) and last <= len(place):
            place[last : last + 1] = [value]
        self.variables[path] = name

    def read_secret_files(self, model: type[BaseModel], data: Any, path: Path_) -> None:
        """Replace each `<secret>_file` by what the file holds."""
        if not isinstance(data, dict):
            return
        for name, field in model.model_fields.items():
            inner = _section(field.annotation)
            if inner and isinstance(data.get(name), list):
                for index, item in enumerate(data[name]):
                    self.read_secret_files(inner, item, (*path, name, index))
            elif inner:
                self.read_secret_files(inner, data.get(name), (*path, name))
            elif name.endswith("_file") and isinstance(data.get(name), str):
                self._read_secret(model, data, name, path)

    def _read_secret(self, model: type[BaseModel], data: dict[str, Any], name: str, path: Path_) -> None:
        secret = name.removesuffix("_file")
        place = self.place((*path, name))
        if data.get(secret):
            self.faults.append(f"{place}: {secret} is given too; leave one of them out")
            return
        try:
            text = (self.base / Path(data[name]).expanduser()).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(f"{place}: cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}")
            text = "unreadable"  # the fault is told already; an absent password would be told once more
        if not text:
            self.faults.append(f"{place}: the file is empty")
            text = "unreadable"
        data[secret] = text.split() if _is_tuple(model.model_fields[secret].annotation) else text

    def place(self, path: Path_) -> str:
        """What the user calls this value's place."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                rest = _dotted(path[length:])
                return f"environment {self.variables[path[:length]]}" + (f": {rest}" if rest else "")
        where = str(self.file) if self.file else "configuration"
        return f"{where}: {_dotted(path)}" if path else where

    def explain(self, error: ValidationError) -> list[str]:
        """The validation's findings in our words, each with its place."""
        faults = []
        for found in error.errors(include_url=False):
            if found["type"] == "default_factory_not_called":
                continue  # follows from another fault, which is told
            path = tuple(part for part in found["loc"] if not isinstance(part, str) or part not in _TAGS)
            parent = _section(_field(self.model, path[:-1])) if path[:-1] else self.model
            if found["type"] == "extra_forbidden" and parent is not None:
                words = f"unknown{_guess(str(path[-1]), list(parent.model_fields))}"
            else:
                words = _words(found, secret=_is_secret(_field(self.model, path)))
            faults.append(f"{self.place(path)}: {words}")
        return faults


_TAGS = ("function-after", "function-before", "nullable")

_WORDS = {
    "missing": "is missing",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "literal_error": "must be one of {expected}",
    "string_pattern_mismatch": "must look like {pattern}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "model_type": "must be a table of fields",
    "model_attributes_type": "must be a table of fields",
}


def _words(found: Mapping[str, Any], *, secret: bool) -> str:
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    words = _WORDS.get(found["type"], found["msg"]).format(**found.get("ctx", {}))
    tells = found["type"] != "missing" and not secret and isinstance(found["input"], str | int | float)
    return f"{words}, got {found['input']!r}" if tells else words


def _guess(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _guess_variable(model: type[BaseModel], parts: list[str | int]) -> str:
    """The variable that was meant, each part of its name corrected by itself; "" where one resembles nothing."""
    meant: list[str] = []
    at: Any = model
    for part in parts:
        if isinstance(part, int):
            if not _is_tuple(at):
                return ""
            at = next(iter(typing.get_args(_plain(at))), None)
        else:
            inner = None if _is_tuple(at) else _section(at)
            near = difflib.get_close_matches(part, list(inner.model_fields) if inner else [], n=1, cutoff=0.6)
            if inner is None or not near:
                return ""
            part, at = near[0], inner.model_fields[near[0]].annotation
        meant.append(str(part).upper())
    return f"; did you mean {PREFIX}{'__'.join(meant)}?"


def _dotted(path: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _field(model: type[BaseModel], path: Path_) -> Any:
    """The type of the field at the path, None when there is none."""
    at: Any = model
    for part in path:
        inner = _section(at)
        if isinstance(part, int):
            if not _is_tuple(at):
                return None
            at = next(iter(typing.get_args(_plain(at))), None)
        elif inner is not None and not _is_tuple(at) and part in inner.model_fields:
            at = inner.model_fields[part].annotation
        else:
            return None
    return at


def _plain(annotation: Any) -> Any:
    """The annotation without `Annotated` and without `| None`."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif typing.get_origin(annotation) in (types.UnionType, typing.Union):
            annotation = next(arg for arg in typing.get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _is_tuple(annotation: Any) -> bool:
    return typing.get_origin(_plain(annotation)) is tuple


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a section or of a list of sections; None for a value (an Address is written as a text)."""
    plain = _plain(annotation)
    if typing.get_origin(plain) is tuple:
        plain = _plain(typing.get_args(plain)[0])
    if isinstance(plain, type) and issubclass(plain, BaseModel) and plain.model_config.get("extra") == "forbid":
        return plain
    return None


def _is_secret(annotation: Any) -> bool:
    plain = _plain(annotation)
    if typing.get_origin(plain) is tuple:
        plain = _plain(typing.get_args(plain)[0])
    return plain is SecretStr


def resolve(env: Mapping[str, str] = os.environ) -> Path | None:
    """The file that would be read without `--config`, None where there is none."""
    return _file(None, env)
