"""The S3 adapter against a real service."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from callwright.local import ports
from callwright.local.s3 import ObjectStorage as S3Service
from engine.domain.recording import RecordingRow
from recordings.storage import Content, ContentRefused, ObjectStorage, StorageRefused, StorageUnavailable

KEY = "2026/11/22/c1/r1.flac"


@pytest.fixture
def upload(tmp_path: Path) -> tuple[Path, Content]:
    path = tmp_path / "r1.flac"
    path.write_bytes(bytes(range(256)) * 20_000)  # 5 MB: more than the service keeps in one piece
    return path, Content.of(path)


def fetch(url: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.read(), dict(answer.headers)


def status(url: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetch(url)
    raised.value.close()
    return raised.value.code


@pytest.mark.req("R83")
def test_what_is_put_is_confirmed_with_its_checksum(storage: ObjectStorage, upload: tuple[Path, Content]) -> None:
    path, content = upload
    storage.put(KEY, path, content, {"call-id": "c1", "agent-name": "Jana Nováková", "queue": ""})
    there = storage.head(KEY)
    assert there is not None
    assert there.confirms(content)
    assert there.sha256 == content.sha256
    assert there.etag == content.md5
    assert there.metadata == {"call-id": "c1", "agent-name": "Jana Nov%C3%A1kov%C3%A1"}


@pytest.mark.req("R83")
def test_what_does_not_match_its_checksum_is_refused(storage: ObjectStorage, upload: tuple[Path, Content]) -> None:
    path, content = upload
    with pytest.raises(ContentRefused):
        storage.put(KEY, path, replace(content, sha256="ab" * 32), {})
    assert storage.head(KEY) is None


@pytest.mark.req("R83")
def test_a_file_cut_off_while_it_is_sent_is_not_stored(storage: ObjectStorage, upload: tuple[Path, Content]) -> None:
    path, content = upload
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises((ContentRefused, StorageUnavailable)):
        storage.put(KEY, path, content, {})
    assert storage.head(KEY) is None


@pytest.mark.req("R82")
def test_a_link_gives_the_recording_and_nothing_else_does(storage: ObjectStorage, upload: tuple[Path, Content]) -> None:
    path, content = upload
    storage.put(KEY, path, content, {})
    row = RecordingRow("r1", "c1", "", bucket=storage.bucket, key=KEY)
    link = storage.link(row, 60)
    body, headers = fetch(link)
    assert body == path.read_bytes()
    assert (headers["Content-Type"], headers["Content-Disposition"]) == ("audio/flac", "inline")
    assert 'filename="r1.flac"' in fetch(storage.link(row, 60, download=True))[1]["Content-Disposition"]
    assert status(link.partition("?")[0]) == 403
    assert status(link.replace("X-Amz-Expires=60", "X-Amz-Expires=600")) == 403


def test_a_deleted_object_is_gone_and_may_be_deleted_again(
    storage: ObjectStorage, upload: tuple[Path, Content]
) -> None:
    storage.put(KEY, *upload, {})
    for _ in range(2):
        storage.delete(KEY)
        assert storage.head(KEY) is None


def test_the_bucket_is_made_once(storage: ObjectStorage) -> None:
    storage.ensure_bucket()
    storage.ensure_bucket()


def test_wrong_credentials_are_told_from_an_outage(s3: S3Service, upload: tuple[Path, Content]) -> None:
    stranger = ObjectStorage(
        bucket="callwright", endpoint_url=s3.url, region=s3.region, access_key=s3.access_key, secret_key="wrong"
    )
    with pytest.raises(StorageRefused):
        stranger.ensure_bucket()
    with pytest.raises(StorageRefused):
        stranger.head(KEY)
    with pytest.raises(StorageRefused):
        stranger.put(KEY, *upload, {})
    stranger.close()


def test_no_service_is_an_outage() -> None:
    block = ports.Block(ports.SINGLE)
    nobody = ObjectStorage(
        bucket="b", endpoint_url=f"http://127.0.0.1:{block.take()}", region="r", access_key="a", secret_key="s"
    )
    with pytest.raises(StorageUnavailable) as raised:
        nobody.head(KEY)
    assert not isinstance(raised.value, StorageRefused)
    nobody.close()
    block.release()
