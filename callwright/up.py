"""`callwright up`: the whole system until Ctrl-C, and where everything is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console

from callwright.local.process import ProcessDied
from callwright.local.stack import Stack, SwitchKind
from callwright.local.supervisor import interruptible
from engine.config import Config


class Steps:
    """Shows each step with its time, as a line that is there while it lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Any = None

    def __call__(self, step: str, seconds: float | None) -> None:
        """`Stack`'s progress callback."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if seconds is None:
            if self._console.is_terminal:
                self._status = self._console.status(step)
                self._status.start()
        else:
            self._console.print(f"[green]ok[/] {step} [dim]{seconds:.1f} s[/]", highlight=False)

    def stop(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def run(config: Config, *, switch: SwitchKind, state_dir: Path | None, engines: int) -> int:
    """Run until Ctrl-C or SIGTERM (0) or until a process dies (1)."""
    from callwright.client import Client
    from callwright.demo.calls import MAIN_NUMBER
    from callwright.local.provision import provision
    from ivr_flows import library

    console = Console(stderr=False)
    steps = Steps(console)
    began = time.monotonic()
    with interruptible():
        stack = Stack(
            switch=switch,
            state_dir=state_dir or config.engine.state_dir,
            engines=engines,
            config=config,
            durable=True,
            usual_ports=True,
            progress=steps,
        )
        try:
            stack.start()
            client = Client(stack.api_url, stack.api_key)
            provision(client, stack.agents, MAIN_NUMBER, flow=library.template("main"))
            console.print(f"up after {time.monotonic() - began:.1f} s; Ctrl-C stops everything", highlight=False)
            for line in where(stack, MAIN_NUMBER):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            _keep_up(stack, console)
        except KeyboardInterrupt:
            steps.stop()
            console.print("stopping", highlight=False)
        except ProcessDied as error:
            steps.stop()
            console.print(f"[red]{error.name} died[/]; stopping the rest", highlight=False)
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            return 1
        finally:
            steps.stop()
            stack.stop()
    return 0


def _keep_up(stack: Stack, console: Console) -> None:
    """Wait for ever. An engine that dies is started again, as an init system would do it; its calls go on meanwhile.

    Raises ProcessDied when anything else ends.
    """
    while True:
        try:
            stack.wait()
        except ProcessDied as died:
            index = stack.engine_index(died.name)
            if index is None:
                raise
            console.print(f"[yellow]{died.name} died[/]; starting it again", highlight=False)
            stack.start_engine(index)
            console.print(f"{died.name} is back", highlight=False)


def where(stack: Stack, number: str) -> list[str]:
    """Where everything is, a line each. Passwords included: shown to the one who started it, of a loopback system."""
    kind = "FreeSWITCH" if stack.kind == "freeswitch" else "lab switch"
    rows = [("call", f"sip:{number}@{stack.sip_external} ({kind})")]
    for agent in stack.agents:
        account = f"user {agent.id}, password {agent.password}, domain {stack.config.dialplan.domain}"
        rows.append((f"phone {agent.number}", f"{account}, server {stack.sip_internal}"))
    rows += [
        ("API", f"{stack.api_url} key {stack.api_key}"),
        ("database", stack.database_url),
        ("Redis", stack.redis_url),
    ]
    storage = stack.config.s3
    if storage.endpoint_url is not None:
        rows.append(("object storage", f"{storage.endpoint_url.get_secret_value()} bucket {storage.bucket}"))
    rows += [(f"engine {index}", str(address)) for index, address in enumerate(stack.plan.engines, 1)]
    rows += [("configuration", str(stack.config_file)), ("logs", str(stack.log_dir))]
    return [f"{label:<15} {value}" for label, value in rows]
