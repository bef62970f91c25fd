"""Requests to outside services, as the flows' node `http` makes them.

Errors:
    RequestFailed       no answer of use; `why` says which exit the flow takes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request. `secret_headers` name secrets of the configuration; `key` marks a POST and its repetition as one."""

    method: Literal["GET", "POST"]
    url: str
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """An answer with a status of 2xx."""

    status: int
    content: bytes


class RequestFailed(Exception):
    """`refused`: not allowed here, or 3xx and 4xx; `error`: not reached, 5xx, unusable. `status` 0: no answer came."""

    def __init__(self, why: Literal["refused", "timeout", "error"], reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.why: Literal["refused", "timeout", "error"] = why
        self.reason = reason
        self.status = status


class Web(Protocol):
    """The way to outside services."""

    def fetch(self, request: WebRequest) -> WebAnswer:
        """The answer. Blocks the calling greenlet alone. Raises RequestFailed."""
