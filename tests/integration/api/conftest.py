"""The API over a real PostgreSQL, asked as a client would."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from admin_api import create_app
from engine.domain.recording import RecordingRow
from engine.services.bundle import Services, Settings
from engine.services.health import Check
from engine.store.audit import AuditRow, read_audit
from engine.store.database import Database
from recordings.prompt_files import PromptDirectory
from tests.integration.store.databases import database, migrated_url, sql, url

__all__ = ["database", "migrated_url", "sql", "url"]

KEY = "bootstrap-key-of-the-tests"
NOW_MS = 1_790_000_100_000
"""2026-09-21T14:15:00Z"""


class FixedClock:
    def now_ms(self) -> int:
        return NOW_MS


class FakeLinks:
    def link(self, row: RecordingRow, expires_s: int) -> str:
        return f"https://storage.invalid/{row.bucket}/{row.key}?expires={expires_s}"


@dataclass
class Announced:
    versions: list[int] = field(default_factory=list)

    def announce(self, version: int) -> None:
        self.versions.append(version)


@dataclass
class Api:
    """The application and what it has around it."""

    app: Flask
    services: Services
    database: Database
    announced: Announced
    checks: dict[str, Check]

    def ask(self, method: str, path: str, *, key: str | None = KEY, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def put(self, path: str, body: object, **options: Any) -> TestResponse:
        return self.ask("PUT", path, json=body, **options)

    def post(self, path: str, body: object, **options: Any) -> TestResponse:
        return self.ask("POST", path, json=body, **options)

    def delete(self, path: str) -> TestResponse:
        return self.ask("DELETE", path)

    def audit(self, subject: str | None = None) -> list[AuditRow]:
        """The trail, newest first."""
        with self.database.transaction() as session:
            return read_audit(session, subject)


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Api:
    announced, checks = Announced(), dict[str, Check]()
    services = Services.build(
        database,
        FakeLinks(),
        PromptDirectory(tmp_path / "prompts"),
        announcer=announced,
        checks={"redis": lambda: checks["redis"](), "storage": lambda: checks["storage"]()},
        settings=Settings(bootstrap_keys=[KEY, "another"]),
        clock=FixedClock(),
    )
    checks |= {"redis": lambda: None, "storage": lambda: None}
    app = create_app(services)
    return Api(app, services, database, announced, checks)


def problem(answer: TestResponse, status: int, problem_id: str) -> dict[str, Any]:
    """The answer's problem document, after a look at its form (RFC 9457)."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"
    document: dict[str, Any] = answer.get_json()
    assert document["type"] == f"urn:callwright:problem:{problem_id}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.path
    assert document["request_id"] == answer.headers["X-Request-Id"]
    return document


@pytest.fixture
def served(api: Api) -> Iterator[str]:
    """The URL at which the API is served as it is served to others."""
    server = make_server("127.0.0.1", 0, api.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
