"""Brings the system up, lets people call, shows what happened to each: tables, and for machines one line of JSON."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from callwright.client import ApiError, Client, path
from callwright.demo import calls, queue, verify
from callwright.demo.calls import MAIN_NUMBER, Line
from callwright.demo.listening import Heard
from callwright.demo.report import Call, queue_report, report
from callwright.demo.show import show
from callwright.local.provision import provision
from callwright.local.stack import Stack, SwitchKind
from callwright.up import Steps
from engine.config import Config
from labswitch.phone import Behaviour, Phone, RegistrationFailed
from labswitch.phone_call import CallOver, PhoneTimeout

RECORDS_WITHIN_S = 20.0
"""How long records and recordings may take to arrive once the calls are over."""
AGENTS = ("alice", *queue.TONE_HZ)


def run(config: Config, *, switch: SwitchKind, state_dir: Path | None, as_json: bool) -> int:
    """The demo; its exit code. Progress goes to standard error, the tables and the JSON line to standard output.

    `as_json`: with the JSON line. What keeps the system from coming up is in it too (`error`), before it is raised.
    """
    tell = _json_line if as_json else _nothing
    try:
        line = _run(config, switch=switch, state_dir=state_dir)
    except Exception as error:
        tell({"ok": False, "switch": switch, "calls": [], "error": str(error), "timings": {}})
        raise
    tell(line)
    return 0 if line["ok"] else 1


def _json_line(line: Mapping[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _nothing(_line: Mapping[str, Any]) -> None:
    """In a terminal the tables say it all."""


def _run(config: Config, *, switch: SwitchKind, state_dir: Path | None) -> dict[str, Any]:
    progress = Console(stderr=True, highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="callwright-demo-") as temporary:
        progress.print(f"[bold]callwright demo[/], switch: {switch}")
        with Stack(
            switch=switch,
            state_dir=state_dir or Path(temporary),
            config=config,
            agents=AGENTS,
            progress=Steps(progress),
        ) as stack:
            client = Client(stack.api_url, stack.api_key)
            flow = provision(client, stack.agents, MAIN_NUMBER, flow=demo_flow(), language="en")
            progress.print(f"[green]ok[/] flow [bold]{flow.id}[/] uploaded and active, version {flow.version}")
            queue.set_up(client)
            progress.print(f"[green]ok[/] queue [bold]{queue.QUEUE}[/] with its agents {', '.join(queue.TONE_HZ)}")
            ready = time.monotonic()
            found = _place_calls(stack, client, progress)
            ended = time.monotonic()
    reports = [None if each is None else report(each) for each in found.calls]
    of_queue = queue_report(found.heard, found.events, found.why)
    found.failures += verify.all_faults(reports) + verify.queue_faults(reports[3:], of_queue)
    timings = {"setup_s": round(ready - began, 2), "run_s": round(ended - ready, 2)}
    show(reports, of_queue, found.failures)
    return {"ok": not found.failures, "switch": switch, "calls": reports, "queue": of_queue, "timings": timings}


def demo_flow() -> dict[str, Any]:
    """The template of a main line, with less patience: the demo is not to last longer than it takes to watch."""
    from ivr_flows import library

    document = library.template("main")
    document["nodes"]["menu"] |= {"timeout_ms": 1500, "attempts": 2}
    return document


@dataclass(slots=True)
class Found:
    """What the API says when it is over, and what went wrong meanwhile."""

    calls: list[Call | None] = field(default_factory=lambda: [None] * len(verify.EXPECTED))
    heard: list[Heard] = field(default_factory=list)
    events: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """Of each agent of the queue since the three callers came, oldest first."""
    why: Mapping[str, Any] | None = None
    """Of the call that had to wait."""
    failures: list[str] = field(default_factory=list)


def _place_calls(stack: Stack, client: Client, progress: Console) -> Found:
    """The main line and the queue at the same time, each caller of the main line in a thread, the queue in one."""
    line = Line(stack.sip_external.host, stack.sip_external.port)
    found = Found()
    say = _clocked(progress)
    with contextlib.ExitStack() as opened:
        agents = {account.id: opened.enter_context(_agent(stack, account.id)) for account in stack.agents}
        callers = [opened.enter_context(_phone(each.caller)) for each in verify.EXPECTED]
        early = [opened.enter_context(_phone(f"+4206020000{number:02}")) for number in range(1, queue.EARLY + 1)]
        try:
            for phone in agents.values():
                phone.register()
        except RegistrationFailed as failed:
            found.failures.append(f"an agent's phone can't register: {failed}")
            return found
        say("the agents' phones have registered")
        bob, caroline = (agents[name] for name in (queue.BOB, queue.CAROLINE))
        prompts_dir = Path(stack.config.engine.prompts_dir)
        people = queue.Queue(line, client, bob, caroline, early, callers[3:], prompts_dir, say, found.heard)
        _all_at_once(
            {
                "call 1": lambda: calls.talks_with_the_agent(line, callers[0], agents["alice"], say),
                "call 2": lambda: calls.presses_a_wrong_key_then_nothing(line, callers[1], say),
                "call 3": lambda: calls.hangs_up_in_the_welcome(line, callers[2], say),
                "queue": people.runs,
            },
            found.failures,
        )
        stack.check()
        _await_records(client, found, say)
    return found


def _all_at_once(people: Mapping[str, Callable[[], None]], failures: list[str]) -> None:
    threads = [
        threading.Thread(target=_live, args=(name, person, failures), daemon=True) for name, person in people.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _live(name: str, person: Callable[[], None], failures: list[str]) -> None:
    try:
        person()
    except (CallOver, PhoneTimeout, ApiError, OSError) as failed:
        failures.append(f"{name}: {failed}")


def _agent(stack: Stack, name: str) -> Phone:
    account = next(each for each in stack.agents if each.id == name)
    return Phone(
        name,
        domain=stack.config.dialplan.domain,
        registrar=(stack.sip_internal.host, stack.sip_internal.port),
        password=account.password,
        behaviour=calls.agent_behaviour() if name not in queue.TONE_HZ else Behaviour.silent(),
    )


def _phone(number: str) -> Phone:
    return Phone(number, domain="trunk.invalid")


def _await_records(client: Client, found: Found, say: Callable[[str], None]) -> None:
    """The records and events, once all of them and the stored recordings are there, or as far as they came in time."""
    deadline = time.monotonic() + RECORDS_WITHIN_S
    pause = threading.Event()
    while True:
        found.calls = [_record(client, expected.caller) for expected in verify.EXPECTED]
        found.events = {agent: _events(client, agent, found.calls[3]) for agent in queue.TONE_HZ}
        complete = all(_complete(call, expected) for call, expected in zip(found.calls, verify.EXPECTED, strict=True))
        complete = complete and all(events and events[-1]["to_state"] == "ready" for events in found.events.values())
        if complete or time.monotonic() > deadline:
            break
        pause.wait(0.2)
    for number, (call, expected) in enumerate(zip(found.calls, verify.EXPECTED, strict=True), 1):
        if call is not None and expected.agent_hz is not None and call["recordings"]:
            link = client.get(path("calls", call["call_id"], "recording"))
            problems = verify.recording_faults(link["url"], call["recordings"][0], expected.agent_hz)
            found.failures += [f"call {number}: {problem}" for problem in problems]
            call["recordings"][0]["url"] = link["url"]
    waited = found.calls[-1]
    if waited is not None:
        found.why = client.get(path("calls", waited["call_id"], "why"))
    say("records and recordings are there" if complete else "not all records came in time")


def _record(client: Client, caller: str) -> dict[str, Any] | None:
    listed = client.get("/calls", caller=caller)["calls"]
    if not listed:
        return None
    call: dict[str, Any] = client.get(path("calls", listed[0]["call_id"]))
    return call


def _events(client: Client, agent: str, since: Call | None) -> list[Mapping[str, Any]]:
    if since is None:
        return []
    newest: list[Mapping[str, Any]] = client.get(path("agents", agent, "events"))["events"]
    return [each for each in reversed(newest) if each["at"] >= since["started_at"]]


def _complete(call: Call | None, expected: verify.Expected) -> bool:
    if call is None:
        return False
    return expected.agent_hz is None or any(row["state"] == "stored" for row in call["recordings"])


def _clocked(progress: Console) -> Callable[[str], None]:
    began = time.monotonic()
    return lambda text: progress.print(f"  [dim]{time.monotonic() - began:5.1f} s[/]  {text}")
