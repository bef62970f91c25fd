"""The three controllers under test, each a process of its own that listens where the player connects.

`callwright` is the engine as `callwright engine` runs it, with a real Redis and a real PostgreSQL behind it: nothing of
it is left out or replaced. The other two are programs in `rivals/`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

from callwright.bench.environment import genesis_python
from callwright.bench.player import Address
from callwright.local import children, ports
from callwright.local.process import Process

NUMBER = "100"
"""What the captured caller dialled."""
SWITCH = "vm"
"""What the captured switch calls itself."""
FLOW = "bench"
_SETTLE_S = 30.0


class Controller:
    """A controller that runs. `variables`: how many it sets on the switch; `recorded`: how many calls it has written
    down, None for one that writes none.
    """

    variables = 3

    def __init__(self, name: str, process: Process, port: int) -> None:
        self.name = name
        self.process = process
        self.address: Address = (ports.LOOPBACK, port)
        process.wait_ready(lambda: ports.listening(port))

    def settle(self) -> None:
        """Wait until what the calls left behind is done too, so that it is counted."""

    def recorded(self) -> int | None:
        return None

    def stop(self) -> None:
        self.process.kill()


def start_rival(name: str, cache_dir: Path, log_dir: Path, progress: Callable[[str], None]) -> Controller:
    """Start greenswitch or genesis. Raises EnvironmentMissing, ProcessFailed."""
    python = Path(sys.executable) if name == "greenswitch" else genesis_python(cache_dir, progress)
    script = resources.files("callwright.bench") / "rivals" / f"{name}_controller.py"
    port = ports.take()
    process = Process(name, [python, str(script), str(port)], log=log_dir / f"{name}.log", cwd=log_dir)
    try:
        return Controller(name, process, port)
    except BaseException:
        process.kill()
        raise


class CallwrightController(Controller):
    """The engine with its services: PostgreSQL and Valkey from wheels, in `directory`."""

    variables = 0
    """Its flow sets three attributes: they go to the journal and the record, not to the switch."""

    def __init__(self, directory: Path, event_socket_port: int, progress: Callable[[str], None]) -> None:
        """Start services and engine. Raises WheelMissing, ProcessFailed."""
        from engine.store.calls import CallStore
        from engine.store.database import Database

        self._running = ExitStack()
        try:
            progress("PostgreSQL and Valkey start")
            self._config = self._services(directory, event_socket_port)
            self._database = Database(self._config.database.dsn, name="callwright bench")
            self._running.callback(self._database.close)
            self._calls = CallStore(self._database)
            self._prepare()
            file = directory / "callwright.toml"
            children.write(self._config, file)
            process = children.launch("engine", file, directory)
            self._running.callback(process.stop)
            super().__init__("callwright", process, self._config.engine.listen.port)
        except BaseException:
            self._running.close()
            raise

    def _services(self, directory: Path, event_socket_port: int) -> Any:
        from pydantic import SecretStr

        from callwright.local import postgres, start, valkey
        from engine.config import Address as Listen
        from engine.config import Config, Database, Engine, Redis, Switch

        database = start(postgres, directory)
        self._running.callback(database.stop)
        redis = start(valkey, directory)
        self._running.callback(redis.stop)
        prompts = directory / "prompts"
        prompts.mkdir()
        return Config(
            engine=Engine(
                name=FLOW,
                listen=Listen(host=ports.LOOPBACK, port=ports.take()),
                state_dir=directory / "engine",
                prompts_dir=prompts,
                recordings_dir=directory / "recordings",
                max_sessions=100_000,
                drain_timeout_s=1,
            ),
            switches=(Switch(name=SWITCH, port=event_socket_port, password=SecretStr("played")),),
            database=Database(url=SecretStr(database.url)),
            redis=Redis(url=SecretStr(redis.url)),
        )

    def _prepare(self) -> None:
        """The schema, the flow, and the number that leads to it."""
        from engine.clock import SystemClock
        from engine.domain.routing import NumberRoute
        from engine.services.announce import NoAnnouncer
        from engine.services.changes import Actor, Changes
        from engine.services.flows import Flows
        from engine.services.numbers import Numbers
        from engine.store import migrate

        migrate.upgrade(self._config.database.dsn)
        changes = Changes(self._database, SystemClock(), NoAnnouncer())
        by = Actor("bench", "callwright bench esl")
        flows = Flows(self._database, changes)
        uploaded = flows.upload(flow(), by)
        flows.activate(FLOW, uploaded.version, by)
        Numbers(self._database, changes, "CZ").put(NumberRoute(NUMBER, FLOW, language="en"), by)

    def settle(self) -> None:
        spool = self._config.engine.state_dir / "spool"
        deadline = time.monotonic() + _SETTLE_S
        while any(name.endswith((".item", ".items")) for name in os.listdir(spool)) and time.monotonic() < deadline:
            time.sleep(0.05)  # a directory that empties cannot be waited for

    def recorded(self) -> int | None:
        from engine.store.calls import CallFilter

        return len(self._calls.list(CallFilter(flow=FLOW), 1_000_000))

    def stop(self) -> None:
        self._running.close()


def flow() -> dict[str, Any]:
    """The call of the comparison as a flow."""
    prompt = {"en": "prompt.wav"}
    attributes = {"bench_queue": "'sales'", "bench_language": "'en'", "bench_customer": "'4711'"}
    return {
        "schema": "callwright/flow/1",
        "id": FLOW,
        "name": "Event socket benchmark",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "prompts": {"welcome": prompt, "choice": prompt},
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "set"}},
            "set": {"type": "set", "attributes": attributes, "exits": {"next": "welcome"}},
            "welcome": {"type": "play", "prompts": ["welcome"], "exits": {"done": "menu", "error": "bye"}},
            "menu": {
                "type": "menu",
                "prompts": ["choice"],
                "keys": {"1": "sales"},
                "timeout_ms": 5000,
                "attempts": 1,
                "exits": {"sales": "bye", "no_input": "bye", "invalid": "bye"},
            },
            "bye": {"type": "hangup"},
        },
    }
