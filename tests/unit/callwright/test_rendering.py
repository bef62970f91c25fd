"""`callwright dialplan render` and `db upgrade` on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from callwright.cli import cli
from engine.domain.routing import AgentEntry, TrunkEntry
from engine.services.announce import NoAnnouncer
from engine.services.bundle import SystemClock
from engine.services.changes import Actor, Changes
from engine.services.lines import Agents, Trunks
from engine.store.database import Database

PASSWORD = "a-long-word-for-phones"
BY = Actor("test")


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """An empty database."""
    server = psycopg2.connect(postgres_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("CREATE DATABASE rendering TEMPLATE template0")
    yield postgres_url.rpartition("/")[0] + "/rendering"
    with server.cursor() as cursor:
        cursor.execute("DROP DATABASE rendering WITH (FORCE)")
    server.close()


def run(database_url: str, *arguments: str) -> tuple[int, str]:
    env = {
        "CALLWRIGHT_DATABASE__URL": database_url,
        "CALLWRIGHT_DIALPLAN__EVENT_SOCKET_PASSWORD": "a-word-for-the-event-socket",
        "CALLWRIGHT_DIALPLAN__ENGINES": "10.0.0.1:9009,10.0.0.2:9009",
    }
    result = CliRunner().invoke(cli, arguments, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.output


def test_upgrade_twice_and_render(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        code, output = run(database_url, "db", "upgrade")
        assert code == 0
        assert output.startswith("the database stands at ")
    database = Database(database_url)
    changes = Changes(database, SystemClock(), NoAnnouncer())
    Agents(database, changes, "CZ").put(AgentEntry("jana", "Jana", "1001"), BY, PASSWORD)
    trunk = TrunkEntry("operator", "192.0.2.7", prefix="00", networks=("192.0.2.0/28",), ping_s=30)
    Trunks(database, changes).put(trunk, BY, None)
    database.close()

    out = tmp_path / "conf"
    command = ["dialplan", "render", "--out", str(out), "--switch-dir", "/var/lib/fs"]
    code, output = run(database_url, *command)
    assert code == 0
    assert "created directory/agents.xml" in output
    agents = (out / "directory" / "agents.xml").read_text(encoding="utf-8")
    assert 'user id="jana"' in agents
    assert "192.0.2.0/28" in (out / "autoload_configs" / "acl.conf.xml").read_text(encoding="utf-8")
    assert "10.0.0.2:9009" in (out / "dialplan" / "public.xml").read_text(encoding="utf-8")
    assert PASSWORD not in output
    assert run(database_url, *command) == (0, "nothing changed\n")
