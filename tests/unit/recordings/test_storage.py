from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.storage import METADATA_VALUE_LIMIT, Content, ObjectStorage, StoredObject, ascii_safe

DATA = b"sound" * 1000
CONTENT = Content(len(DATA), hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest())


def test_content_is_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    assert Content.of(tmp_path / "x") == CONTENT


@pytest.mark.req("R83")
@pytest.mark.parametrize(
    ("size", "sha256", "etag", "confirmed"),
    [
        (5000, CONTENT.sha256, "", True),
        (5000, "", CONTENT.md5, True),
        (4999, CONTENT.sha256, CONTENT.md5, False),
        (5000, "00" * 32, CONTENT.md5, False),
        (5000, "", "d41d8cd98f00b204e9800998ecf8427e-2", False),
        (5000, "", "", False),
    ],
)
def test_only_a_checksum_confirms(size: int, sha256: str, etag: str, confirmed: bool) -> None:
    assert StoredObject("key", size, sha256, etag).confirms(CONTENT) is confirmed


def test_metadata_keeps_what_is_plain_and_encodes_the_rest() -> None:
    assert ascii_safe("Jana Nováková") == "Jana Nov%C3%A1kov%C3%A1"
    assert ascii_safe("+420777123456") == "+420777123456"
    assert ascii_safe("a\r\nx-amz-acl: public") == "a%0D%0Ax-amz-acl: public"


@given(st.text(max_size=300))
def test_metadata_is_always_printable_ascii_of_limited_length(text: str) -> None:
    safe = ascii_safe(text)
    assert len(safe) <= METADATA_VALUE_LIMIT
    assert all(" " <= each <= "~" for each in safe)
    assert safe == safe.strip()


@pytest.mark.req("R123")
def test_an_endpoint_elsewhere_without_tls_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for url in ("http://127.0.0.1:1", "https://s3.example.org", "http://s3.example.org"):
        ObjectStorage(bucket="b", endpoint_url=url, region="r", access_key="a", secret_key="s").close()
    assert [record.message for record in caplog.records] == [
        "storage: http://s3.example.org is not encrypted; outside a private network use https"
    ]
