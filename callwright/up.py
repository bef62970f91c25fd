"""`callwright up`: the whole system until Ctrl-C, and where everything is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

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
            console.print(table(stack, MAIN_NUMBER), crop=False, soft_wrap=True)
            stack.wait()
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


def table(stack: Stack, number: str) -> Table:
    """Where everything is. Shown to the one who started it, on a loopback system: passwords included, but only here."""
    shown = Table(show_header=False, box=None, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(no_wrap=True, overflow="ignore")  # the terminal may break lines, we would break URLs
    switch = "FreeSWITCH" if stack.kind == "freeswitch" else "lab switch"
    shown.add_row("call", f"sip:{number}@{stack.sip_external} [dim]({switch})[/]")
    for agent in stack.agents:
        account = f"{agent.id}@{stack.config.dialplan.domain} [dim]password[/] {agent.password}"
        shown.add_row(f"phone {agent.number}", f"{account} [dim]server[/] {stack.sip_internal}")
    shown.add_row("API", f"{stack.api_url} [dim]key[/] {stack.api_key}")
    shown.add_row("database", stack.database_url)
    shown.add_row("Redis", stack.redis_url)
    storage = stack.config.s3
    if storage.endpoint_url is not None:
        shown.add_row("object storage", f"{storage.endpoint_url.get_secret_value()} [dim]bucket[/] {storage.bucket}")
    for index, address in enumerate(stack.plan.engines):
        shown.add_row(f"engine {index + 1}", str(address))
    shown.add_row("configuration", escape(str(stack.config_file)))
    shown.add_row("logs", escape(str(stack.log_dir)))
    return shown
