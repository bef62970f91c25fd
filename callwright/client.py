"""The admin API from Python, as much of it as our own commands and tests use. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

_PAGE = "200"


class ApiError(Exception):
    """The API refused; `problem` is its problem+json document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}".strip(": "))


class Client:
    """One API with one key. Methods raise ApiError, and OSError when nobody answers."""

    def __init__(self, url: str, key: str, timeout_s: float = 10) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s

    def get(self, path: str, **query: str) -> Any:
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def put(self, path: str, body: Any) -> Any:
        return self._ask("PUT", path, body)

    def post(self, path: str, body: Any) -> Any:
        return self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def upload(self, path: str, content: bytes, file_name: str) -> Any:
        """PUT a sound file."""
        query = urlencode({"file_name": file_name})
        return self._send("PUT", f"{path}?{query}", content, "application/octet-stream")

    def calls(self, most: int, **query: str) -> Iterator[Mapping[str, Any]]:
        """So many past calls at most, newest first, page by page."""
        return islice(self._listed("/calls", "calls", query), most)

    def agent_events(self, agent: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """What happened to an agent, newest first, page by page."""
        return self._listed(path("agents", agent, "events"), "events", query)

    def _listed(self, where: str, what: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        asked = {"limit": _PAGE, **query}
        while True:
            page = self.get(where, **asked)
            yield from page[what]
            if page["next"] is None:
                return
            asked["cursor"] = page["next"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._send(method, path, None if body is None else json.dumps(body).encode(), "application/json")

    def _send(self, method: str, path: str, content: bytes | None, content_type: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http(s) only, the URL is our own configuration's
            self.url + path,
            method=method,
            data=content,
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                came = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, _document(error.read())) from None
        return json.loads(came) if came else None


def path(*parts: str) -> str:
    """`/a/b/c`, each part quoted."""
    return "".join("/" + quote(part, safe="") for part in parts)


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": content[:300].decode("utf-8", "replace")}
