"""Object storage: each right that callwright uses, tried on one object, with the product's own client."""

from __future__ import annotations

import secrets
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from callwright.doctor.finding import ANSWER_WITHIN_S, Finding, Subject, fail, ok, warn
from recordings.storage import Content, ObjectStorage, StorageRefused, StorageUnavailable

PREFIX = "callwright-doctor/"
"""Objects below it are doctor's; one that a killed doctor left may be deleted."""
_BODY = b"callwright doctor was here\n"


def examine(subject: Subject) -> Iterator[Finding]:
    """Put, head, link, get, delete. What is refused is told with what breaks."""
    config = subject.config.s3
    if config.endpoint_url is None:
        if subject.configured:
            yield fail("s3.endpoint_url is not set", "API and recordings need it: docs/operations.md, [s3]")
        return
    storage = ObjectStorage.from_config(config, read_timeout_s=ANSWER_WITHIN_S)
    key = PREFIX + secrets.token_hex(8)
    try:
        yield from _with_object(storage, key, config.bucket)
    except StorageUnavailable as error:
        yield fail(f"does not answer: {error}", "check s3.endpoint_url, both keys, and that the service runs")
    finally:
        storage.close()


def _with_object(storage: ObjectStorage, key: str, bucket: str) -> Iterator[Finding]:
    try:  # the bucket first: some services make it when something is put into it
        if not storage.has_bucket():
            advice = "make it, or let `callwright recordings` make it (s3:CreateBucket)"
            yield fail(f"there is no bucket {bucket}", advice)
            return
    except StorageRefused as error:
        yield _refused("s3:ListBucket", error, "`callwright recordings` does not start", bucket)
        return
    try:
        _put(storage, key)
    except StorageRefused as error:
        yield _refused("s3:PutObject", error, "recordings stay on the switch's disk", bucket)
        return
    failed = False
    tries: tuple[tuple[str, Callable[[], None], str], ...] = (
        ("s3:GetObject (head)", lambda: _head(storage, key), "no recording counts as stored, and the disk fills up"),
        ("s3:GetObject (link)", lambda: _follow(storage, key), "nobody can listen to a recording"),
        ("s3:DeleteObject", lambda: storage.delete(key), "retention and erasure fail"),
    )
    for right, attempt, broken in tries:
        try:
            attempt()
        except (StorageRefused, OSError, ValueError) as error:
            failed = True
            yield _refused(right, error, broken, bucket)
    if not failed:
        yield ok(f"bucket {bucket}: put, head, link, get and delete work")
        if storage.head(key) is not None:
            advice = f"delete what lies below {PREFIX} with another key; versioning or an object lock may hold it"
            yield warn("an object that was deleted is still there", advice)


def _refused(right: str, error: Exception, broken: str, bucket: str) -> Finding:
    return fail(
        f"{right}: {error}", f"without it {broken}: check the keys, and give them this right on bucket {bucket}"
    )


def _put(storage: ObjectStorage, key: str) -> None:
    with tempfile.TemporaryDirectory(prefix="callwright-doctor-") as directory:
        file = Path(directory) / "object"
        file.write_bytes(_BODY)
        storage.put(key, file, Content.of(file), {}, content_type="text/plain")


def _head(storage: ObjectStorage, key: str) -> None:
    found = storage.head(key)
    if found is None or found.bytes != len(_BODY):
        raise ValueError("the object that was put is not found as it was put")


def _follow(storage: ObjectStorage, key: str) -> None:
    link = storage.link_to(key, expires_s=60)
    try:
        with urllib.request.urlopen(link, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310 - our own service's link
            if answer.read() != _BODY:
                raise ValueError("the link gives something else than was put")
    except urllib.error.HTTPError as error:
        with error:
            raise ValueError(f"the link answers {error.code}") from None
