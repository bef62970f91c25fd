"""A database with all tables, a bucket of its own, and a switch's disk, for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from callwright.local.s3 import ObjectStorage as S3Service
from engine.store import migrate
from engine.store.database import Database, psycopg2_url
from recordings.files import RecordingFiles
from recordings.storage import ObjectStorage

_NUMBERS = itertools.count(1)


class Server:
    """The PostgreSQL server, for statements about whole databases."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = create_engine(psycopg2_url(url), isolation_level="AUTOCOMMIT", poolclass=pool.NullPool)

    def run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def url(self, name: str) -> str:
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def server(postgres_url: str) -> Server:
    made = Server(postgres_url)
    made.run("CREATE DATABASE recordings_template")
    migrate.upgrade(made.url("recordings_template"))
    return made


@pytest.fixture
def database_name(server: Server) -> Iterator[str]:
    name = f"recordings_{next(_NUMBERS)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE recordings_template")
    yield name
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(server: Server, database_name: str) -> Iterator[Database]:
    made = Database(server.url(database_name))
    yield made
    made.close()


@pytest.fixture
def storage(s3: S3Service) -> Iterator[ObjectStorage]:
    made = ObjectStorage(
        bucket=f"recordings-{next(_NUMBERS)}",
        endpoint_url=s3.url,
        region=s3.region,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
    )
    made.ensure_bucket()
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> RecordingFiles:
    made = RecordingFiles(tmp_path / "disk")
    made.prepare()
    return made
