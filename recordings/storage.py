"""Object storage: any service that speaks S3, through boto3.

What is put is verified twice: the service gets its SHA-256 along and refuses what does not match, and `confirms`
compares what the service says afterwards. A file on disk may be deleted after that and not before (R83).

Errors:
    StorageError
    ├── StorageUnavailable     not now: no connection, time over, the service's own fault; try again later
    │   └── StorageRefused     it answers but lets us not: credentials, rights, no such bucket; an operator must act
    └── ContentRefused         what arrived is not what was announced: sent again it may arrive whole
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError

from engine.domain.recording import RecordingRow

if TYPE_CHECKING:
    from engine.config import S3

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
"""Longest silence of the service. It is counted from one packet to the next, so a long upload may take longer."""
METADATA_VALUE_LIMIT = 160
"""Characters of one value: S3 allows 2 KB for all of an object's metadata."""

_CONTENT_FAULTS = {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody"}


class StorageError(Exception):
    """Base of all that the storage raises."""


class StorageUnavailable(StorageError):
    """The service can't be used now."""


class StorageRefused(StorageUnavailable):
    """The service does not let us: wrong credentials, missing rights, no such bucket."""


class ContentRefused(StorageError):
    """What arrived is not what was announced; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, as far as storage is concerned. Both checksums in hexadecimal."""

    bytes: int
    sha256: str
    md5: str

    @classmethod
    def of(cls, path: Path) -> Content:
        """Reads the file once. Raises OSError."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        size = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                sha256.update(block)
                md5.update(block)
                size += len(block)
        return cls(size, sha256.hexdigest(), md5.hexdigest())


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the service says of an object. `sha256` is empty where the service keeps none."""

    key: str
    bytes: int
    sha256: str
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    def confirms(self, content: Content) -> bool:
        """Whether this is the content, by its length and by the checksum that the service computed."""
        if self.bytes != content.bytes:
            return False
        # Without SHA-256, the ETag of a whole upload is its MD5 unless the service encrypts with keys of its own.
        return self.sha256 == content.sha256 if self.sha256 else self.etag == content.md5


class ObjectStorage:
    """One bucket. Safe for several threads. Methods raise StorageUnavailable and StorageRefused."""

    def __init__(
        self,
        *,
        bucket: str,
        endpoint_url: str | None,
        region: str,
        access_key: str | None,
        secret_key: str | None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.bucket = bucket
        host = urlsplit(endpoint_url or "").hostname or ""
        here = host in ("localhost", "::1") or host.startswith("127.")
        if endpoint_url and endpoint_url.startswith("http:") and not here:
            log.warning("storage: %s is not encrypted; outside a private network use https", endpoint_url)
        options: dict[str, Any] = {"proxies": {}} if here else {}
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=BotoConfig(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=read_timeout_s,
                # Waiting and trying again is the worker's business, which knows how long it may.
                retries={"total_max_attempts": 1},
                # Signature 2, boto3's default for links to an endpoint of one's own, is refused by most services.
                signature_version="s3v4",
                s3={"addressing_style": "path"} if endpoint_url else {},
                max_pool_connections=20,
                **options,
            ),
        )

    @classmethod
    def from_config(cls, config: S3, read_timeout_s: float = READ_TIMEOUT_S) -> ObjectStorage:
        """The storage of the section `s3`."""
        return cls(
            bucket=config.bucket,
            endpoint_url=config.endpoint_url.get_secret_value() if config.endpoint_url else None,
            region=config.region,
            access_key=config.access_key.get_secret_value() if config.access_key else None,
            secret_key=config.secret_key.get_secret_value() if config.secret_key else None,
            read_timeout_s=read_timeout_s,
        )

    def ensure_bucket(self) -> None:
        """Makes the bucket if it is not there."""
        if self.has_bucket():
            return
        made = self._client.exceptions
        with _translated(), suppress(made.BucketAlreadyOwnedByYou, made.BucketAlreadyExists):
            self._client.create_bucket(Bucket=self.bucket)

    def has_bucket(self) -> bool:
        """Whether the bucket is there."""
        with _translated():
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _status(error) != 404:
                    raise
                return False
        return True

    def put(
        self, key: str, path: Path, content: Content, metadata: Mapping[str, str], *, content_type: str = "audio/flac"
    ) -> None:
        """Stores the file. The service compares it with `content` and keeps nothing that differs.

        Raises ContentRefused, OSError.
        """
        with path.open("rb") as file, _translated():
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=file,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(content.sha256)).decode(),
                Metadata={name: ascii_safe(value) for name, value in metadata.items() if value},
            )

    def head(self, key: str) -> StoredObject | None:
        """What the service says of the object; None when there is none."""
        with _translated():
            try:
                found = self._client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        sha256 = found.get("ChecksumSHA256", "")
        return StoredObject(
            key=key,
            bytes=found["ContentLength"],
            # "…-3" is a checksum of the checksums of an upload in parts, which we never make
            sha256="" if "-" in sha256 else base64.b64decode(sha256).hex(),
            etag=found.get("ETag", "").strip('"'),
            metadata=found.get("Metadata", {}),
        )

    def link(self, row: RecordingRow, expires_s: int, *, download: bool = False) -> str:
        """A URL that gives the recording to whoever holds it, for `expires_s` seconds. Not for logs.

        `download`: the browser saves it instead of playing it.
        """
        name = f"{row.id}.flac"
        disposition = f'attachment; filename="{ascii_safe(name)}"' if download else "inline"
        wanted = {"Bucket": row.bucket or self.bucket, "Key": row.key, "ResponseContentDisposition": disposition}
        return self._link(expires_s, **wanted)

    def link_to(self, key: str, expires_s: int) -> str:
        """A URL that gives any object to whoever holds it, for `expires_s` seconds. Not for logs."""
        return self._link(expires_s, Bucket=self.bucket, Key=key)

    def _link(self, expires_s: int, **wanted: str) -> str:
        with _translated():
            return str(self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=expires_s))

    def delete(self, key: str) -> None:
        """Deletes the object; one that is not there is no error."""
        with _translated():
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


def ascii_safe(text: str) -> str:
    """Text for an object's metadata: printable ASCII, all else percent-encoded (`Nov%C3%A1k`), cut to a length."""
    safe = quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
    if len(safe) > METADATA_VALUE_LIMIT:
        safe = safe[:METADATA_VALUE_LIMIT]
        safe = safe[: -1 if safe[-1] == "%" else -2 if safe[-2] == "%" else None]
    return safe.strip()


@contextmanager
def _translated() -> Iterator[None]:
    """Turns botocore's errors into ours, by what is to be done about them."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        text = f"{error.operation_name}: {code} {error.response.get('Error', {}).get('Message', '')}".strip()
        if code in _CONTENT_FAULTS:
            raise ContentRefused(text) from None
        refused = _status(error) in (400, 401, 403, 404, 405)
        raise (StorageRefused if refused else StorageUnavailable)(text) from None
    except BotoCoreError as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from None


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
