"""The whole system on one machine: services from wheels, our processes, a switch, all on loopback ports.

`Stack` brings everything up; `postgres`, `valkey` and `s3` start one service each:

    service = start(postgres, state_dir)
    try: ... service.url ...
    finally: service.stop()
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

DEFAULT_STATE = Path(".callwright")


def start(service: ModuleType, state_dir: Path, **options: Any) -> Any:
    """Launch a service (the module `postgres`, `valkey` or `s3`) and wait until it is ready."""
    started = service.launch(state_dir, **options)
    started.await_ready()
    return started
