"""PostgreSQL, Valkey and S3 for the whole run, each started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callwright.local import postgres, start, valkey
from callwright.local import s3 as s3_service
from callwright.local.s3 import ObjectStorage


@pytest.fixture(scope="session")
def services_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run's services keep their data."""
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def postgres_url(services_dir: Path) -> Iterator[str]:
    """A PostgreSQL server; its database `callwright` is empty. Tests that write make databases of their own."""
    service = start(postgres, services_dir, durable=False)
    yield service.url
    service.stop()


@pytest.fixture(scope="session")
def redis_url(services_dir: Path) -> Iterator[str]:
    """A Valkey server, database 0. Tests use keys of their own."""
    service = start(valkey, services_dir, durable=False)
    yield service.url
    service.stop()


@pytest.fixture(scope="session")
def s3(services_dir: Path) -> Iterator[ObjectStorage]:
    """An S3 service with a bucket: `s3.client`, `s3.bucket`."""
    service = start(s3_service, services_dir, durable=False)
    yield service
    service.stop()
