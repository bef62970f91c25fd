"""The API as a server loads it: from the configuration, over PostgreSQL, Valkey and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from callwright.local.s3 import ObjectStorage as S3Service
from engine.domain.recording import RecordingState
from engine.store.calls import CallStore
from engine.store.database import Database
from engine.store.recordings import RecordingStore
from recordings.storage import Content, ObjectStorage
from tests.integration.store.samples import journal, record

_ASK = """
import json, sys
from admin_api.wsgi import application
client = application.test_client()
answers = [client.get(path, headers={"Authorization": "Bearer k-from-env"}) for path in sys.argv[1:]]
print(json.dumps([[answer.status_code, answer.get_json()] for answer in answers]))
"""


@pytest.mark.req("R82", "R83")
def test_from_the_configuration_to_the_bytes_of_a_recording(
    database: Database, url: str, redis_url: str, s3: S3Service, tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLWRIGHT_")} | {
        "CALLWRIGHT_DATABASE__URL": url,
        "CALLWRIGHT_REDIS__URL": redis_url,
        "CALLWRIGHT_S3__ENDPOINT_URL": s3.url,
        "CALLWRIGHT_S3__BUCKET": s3.bucket,
        "CALLWRIGHT_S3__ACCESS_KEY": s3.access_key,
        "CALLWRIGHT_S3__SECRET_KEY": s3.secret_key,
        "CALLWRIGHT_API__KEYS": "k-from-env",
    }
    store_recording(database, s3, tmp_path)
    command = [sys.executable, "-W", "error", "-c", _ASK, "/readyz", "/calls/c1/recording"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (ready_status, ready), (link_status, link) = json.loads(done.stdout)
    assert (ready_status, ready["ready"]) == (200, True), ready
    assert link_status == 200, link
    with urllib.request.urlopen(link["url"], timeout=10) as answer:
        assert answer.read() == b"fLaC and so on"


def store_recording(database: Database, s3: S3Service, directory: Path) -> None:
    CallStore(database).write(record(), journal())
    recordings = RecordingStore(database)
    (row,) = recordings.of_call("c1")
    storage = ObjectStorage(
        bucket=s3.bucket, endpoint_url=s3.url, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key
    )
    file = directory / "r1.flac"
    file.write_bytes(b"fLaC and so on")
    storage.put("api/r1.flac", file, Content.of(file), {})
    storage.close()
    assert recordings.stored(replace(row, bucket=s3.bucket, key="api/r1.flac", state=RecordingState.STORED))
