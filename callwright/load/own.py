"""The whole system on this machine, with one number to call: what is measured when no target is named.

The flow is the reference call of docs/load.md: answer, three attributes, a prompt of 300 ms, a menu of one digit that
plays the prompt again and then waits 800 ms in vain, hangup. About 1.4 s, of which our part is small on purpose.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
import wave
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from callwright.bench import gauge
from callwright.client import Client
from callwright.load.plan import Plan, PlanError, Target
from callwright.load.results import Records
from callwright.local import ports
from callwright.local.provision import provision
from callwright.local.stack import Stack, SwitchKind
from callwright.up import Steps
from engine.config import Config

NUMBER = "+420221234500"
PROMPT = "load/tone-300ms.wav"
PROMPT_MS = 300
MENU_MS = 800
RECORDS_WITHIN_S = 20.0
"""How long records may take to arrive once the calls are over."""
CALL_S = 1.5
"""How long the reference call takes, about."""
_PAGE = 200


def reference_flow() -> dict[str, Any]:
    """The flow of the reference call."""
    return {
        "schema": "callwright/flow/1",
        "id": "load-reference",
        "name": "Reference call of load tests",
        "kind": "inbound",
        "languages": ["en"],
        "entry": "answer",
        "prompts": {"tone": {"en": PROMPT}},
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "note"}},
            "note": {
                "type": "set",
                "attributes": {"first": "'1'", "second": "'2'", "third": "'3'"},
                "exits": {"next": "tone"},
            },
            "tone": {"type": "play", "prompts": ["tone"], "exits": {"done": "menu", "error": "hangup"}},
            "menu": {
                "type": "menu",
                "prompts": ["tone"],
                "keys": {"1": "one"},
                "timeout_ms": MENU_MS,
                "attempts": 1,
                "exits": {"one": "hangup", "no_input": "hangup", "invalid": "hangup"},
            },
            "hangup": {"type": "hangup"},
        },
    }


def write_prompt(prompts_dir: Path) -> Path:
    """The prompt of the reference call, a quiet 440 Hz; its path."""
    path = prompts_dir / PROMPT
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = (round(4000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(8 * PROMPT_MS))
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    return path


@dataclass(frozen=True, slots=True)
class Own:
    """The running system."""

    stack: Stack
    client: Client
    records_within_s: float = RECORDS_WITHIN_S

    @property
    def target(self) -> Target:
        """The number with the reference call."""
        return Target(self.stack.sip_external.host, self.stack.sip_external.port, NUMBER)

    def cpu(self) -> tuple[float, float]:
        """CPU time in s that engines and switch have used since they began. Raises OSError when one is gone."""
        assert self.stack.switch is not None, "a load test's stack has its own switch"
        return sum(gauge.cpu_s(each.pid) for each in self.stack.engines), gauge.cpu_s(self.stack.switch.pid)

    def records(self, expected: Sequence[str], since_s: float) -> Records:
        """Compare with the Call-IDs of the answered calls; waits until every one has its record, or for a while."""
        deadline = time.monotonic() + self.records_within_s
        pause = threading.Event()
        wanted = set(expected)
        while True:
            times = Counter(self._sip_call_ids(since_s))
            lost = tuple(sorted(wanted - times.keys()))
            if not lost or time.monotonic() > deadline:
                break
            pause.wait(0.2)  # the API tells nobody that a record has come
        double = tuple(sorted(call_id for call_id, count in times.items() if count > 1))
        return Records(len(wanted), len(wanted) - len(lost), lost, double)

    def _sip_call_ids(self, since_s: float) -> Iterator[str]:
        query = {"did": NUMBER, "from": _iso(since_s - 1), "limit": str(_PAGE)}
        while True:
            page = self.client.get("/calls", **query)
            yield from (call["sip_call_id"] for call in page["calls"])
            if page["next"] is None:
                return
            query["cursor"] = page["next"]


def _iso(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def offer(stack: Stack) -> Own:
    """Put the reference call on NUMBER of a running stack. Raises ApiError."""
    write_prompt(stack.config.engine.prompts_dir)
    client = Client(stack.api_url, stack.api_key)
    provision(client, (), NUMBER, flow=reference_flow(), language="en")
    return Own(stack, client)


def check_room(plan: Plan) -> None:
    """Raises PlanError for more calls at once than a system that load starts itself can hold."""
    most = min(Config().dialplan.max_sessions, ports.MEDIA.step // 2 - 1)
    why = f"a system that load starts itself holds {most} calls at once"
    if plan.concurrent is not None and plan.concurrent > most:
        raise PlanError(f"--concurrent {plan.concurrent}: {why}; ask for fewer, or name a --target")
    if plan.concurrent is None and min(plan.full_rate * CALL_S, plan.calls or math.inf) > most:
        raise PlanError(
            f"--rate {plan.full_rate:g}: with calls of {CALL_S:g} s that is {plan.full_rate * CALL_S:.0f} at once, and "
            f"{why}; ask for at most {math.floor(most / CALL_S)} a second, or name a --target"
        )


@contextmanager
def system(*, switch: SwitchKind, state_dir: Path | None, plan: Plan, progress: Console) -> Iterator[Own]:
    """Bring it up with the reference call, and down again. Raises PlanError, what `Stack` raises, ApiError.

    The configuration of this machine is not looked at: its database must not fill with a load test's calls.
    """
    check_room(plan)
    config = Config()
    # The bound guards a switch against strangers; here it would only throttle the test.
    enough = max(config.dialplan.sessions_per_second, math.ceil(plan.full_rate * 3))
    config = config.model_copy(update={"dialplan": config.dialplan.model_copy(update={"sessions_per_second": enough})})
    with tempfile.TemporaryDirectory(prefix="callwright-load-") as temporary:
        stack = Stack(
            switch=switch,
            state_dir=state_dir or Path(temporary),
            config=config,
            agents=(),
            progress=Steps(progress),
        )
        with stack:
            running = offer(stack)
            progress.print(f"[green]ok[/] number {NUMBER} leads to the reference call", highlight=False)
            yield running
            stack.check()
