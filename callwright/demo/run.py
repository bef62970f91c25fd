"""Brings the system up, lets three people call, and shows what happened to each: a table, then one line of JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from callwright.client import Client, path
from callwright.demo import calls, verify
from callwright.demo.calls import MAIN_NUMBER, Line
from callwright.local.provision import provision
from callwright.local.stack import Stack, SwitchKind
from callwright.up import Steps
from engine.config import Config
from labswitch.phone import Phone, RegistrationFailed
from labswitch.phone_call import CallOver, PhoneTimeout

RECORDS_WITHIN_S = 20.0
"""How long records and recordings may take to arrive once the calls are over."""


def run(config: Config, *, switch: SwitchKind, state_dir: Path | None) -> int:
    """The demo; its exit code. Progress goes to standard error, the table and the JSON line to standard output.

    What keeps the system from coming up is in the JSON line too (`error`), before it is raised.
    """
    try:
        return _run(config, switch=switch, state_dir=state_dir)
    except Exception as error:
        failed: dict[str, Any] = {"ok": False, "switch": switch, "calls": [], "error": str(error), "timings": {}}
        print(json.dumps(failed, ensure_ascii=False), flush=True)
        raise


def _run(config: Config, *, switch: SwitchKind, state_dir: Path | None) -> int:
    progress = Console(stderr=True, highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="callwright-demo-") as temporary:
        progress.print(f"[bold]callwright demo[/], switch: {switch}")
        with Stack(
            switch=switch,
            state_dir=state_dir or Path(temporary),
            config=config,
            agents=("alice",),
            progress=Steps(progress),
        ) as stack:
            client = Client(stack.api_url, stack.api_key)
            flow = provision(client, stack.agents, MAIN_NUMBER, flow=demo_flow(), language="en")
            progress.print(f"[green]ok[/] flow [bold]{flow.id}[/] uploaded and active, version {flow.version}")
            ready = time.monotonic()
            found, failures = _place_calls(stack, client, progress)
            ended = time.monotonic()
    reports = [None if each is None else report(each, flow.version) for each in found]
    failures += verify.all_faults(reports)
    timings = {"setup_s": round(ready - began, 2), "run_s": round(ended - ready, 2)}
    _show(reports, failures)
    ok = not failures
    print(json.dumps({"ok": ok, "switch": switch, "calls": reports, "timings": timings}, ensure_ascii=False))
    return 0 if ok else 1


def demo_flow() -> dict[str, Any]:
    """The template of a main line, with less patience: the demo is not to last longer than it takes to watch."""
    from ivr_flows import library

    document = library.template("main")
    document["nodes"]["menu"] |= {"timeout_ms": 1500, "attempts": 2}
    return document


def report(call: Mapping[str, Any], flow_version: str) -> dict[str, Any]:
    """A call as the demo's JSON line has it."""
    recording = next(iter(call["recordings"]), None)
    return {
        "call_id": call["call_id"],
        "did": call["did"],
        "caller": call["caller"],
        "flow": call["flow"],
        "flow_version": call["flow_version"],
        "path": [visit["node"] for visit in call["path"]],
        "visits": [
            {
                "node": visit["node"],
                "entered_ms": _ms(visit["entered_at"]) - _ms(call["started_at"]),
                "left_ms": _ms(visit["left_at"]) - _ms(call["started_at"]),
                "exit": visit["exit"],
            }
            for visit in call["path"]
        ],
        "result": call["result"],
        "hung_up_by": call["hung_up_by"],
        "hangup_cause": call["hangup_cause"],
        "wait_ms": call["wait_ms"],
        "talk_ms": call["talk_ms"],
        "recording": recording and _recording(recording),
    }


def _recording(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": row["url"],
        "bucket": row["bucket"],
        "key": row["key"],
        "format": "flac",
        "channels": row["channels"],
        "sample_rate": row["sample_rate"],
        "duration_s": round(row["duration_ms"] / 1000, 3),
        "bytes": row["bytes"],
        "sha256": row["sha256"],
    }


def _place_calls(stack: Stack, client: Client, progress: Console) -> tuple[list[Mapping[str, Any] | None], list[str]]:
    """All three at once, each caller in a thread; what the API then says of each, and what went wrong meanwhile."""
    line = Line(stack.sip_external.host, stack.sip_external.port)
    account = stack.agents[0]
    failures: list[str] = []
    say = _clocked(progress)
    with (
        Phone(
            account.id,
            domain=stack.config.dialplan.domain,
            registrar=(stack.sip_internal.host, stack.sip_internal.port),
            password=account.password,
            behaviour=calls.agent_behaviour(),
        ) as agent,
        _phone(0) as first,
        _phone(1) as second,
        _phone(2) as third,
    ):
        try:
            agent.register()
        except RegistrationFailed as failed:
            return [None, None, None], [f"the agent's phone can't register: {failed}"]
        say("the agent's phone has registered")
        people: list[Callable[[], None]] = [
            lambda: calls.talks_with_the_agent(line, first, agent, say),
            lambda: calls.presses_a_wrong_key_then_nothing(line, second, say),
            lambda: calls.hangs_up_in_the_welcome(line, third, say),
        ]
        threads = [
            threading.Thread(target=_call, args=(number, person, failures), daemon=True)
            for number, person in enumerate(people, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stack.check()
        return _await_records(client, failures, say), failures


def _call(number: int, person: Callable[[], None], failures: list[str]) -> None:
    try:
        person()
    except (CallOver, PhoneTimeout) as failed:
        failures.append(f"call {number}: {failed}")


def _phone(index: int) -> Phone:
    return Phone(verify.EXPECTED[index].caller, domain="trunk.invalid")


def _await_records(client: Client, failures: list[str], say: Callable[[str], None]) -> list[Mapping[str, Any] | None]:
    """The calls' records, once all of them and the stored recording are there, or as far as they came in time."""
    deadline = time.monotonic() + RECORDS_WITHIN_S
    pause = threading.Event()
    while True:
        found = [_record(client, expected.caller) for expected in verify.EXPECTED]
        complete = all(_complete(call, expected) for call, expected in zip(found, verify.EXPECTED, strict=True))
        if complete or time.monotonic() > deadline:
            break
        pause.wait(0.2)
    for number, (call, expected) in enumerate(zip(found, verify.EXPECTED, strict=True), 1):
        if call is not None and expected.recorded and call["recordings"]:
            link = client.get(path("calls", call["call_id"], "recording"))
            problems = verify.recording_faults(link["url"], call["recordings"][0])
            failures += [f"call {number}: {problem}" for problem in problems]
            call["recordings"][0]["url"] = link["url"]
    say("records and recording are there" if complete else "not all records came in time")
    return [*found]


def _record(client: Client, caller: str) -> dict[str, Any] | None:
    listed = client.get("/calls", caller=caller)["calls"]
    if not listed:
        return None
    call: dict[str, Any] = client.get(path("calls", listed[0]["call_id"]))
    return call


def _complete(call: Mapping[str, Any] | None, expected: verify.Expected) -> bool:
    if call is None:
        return False
    return not expected.recorded or any(row["state"] == "stored" for row in call["recordings"])


def _ms(moment: str) -> int:
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return round(at.timestamp() * 1000)


def _clocked(progress: Console) -> Callable[[str], None]:
    began = time.monotonic()
    return lambda text: progress.print(f"  [dim]{time.monotonic() - began:5.1f} s[/]  {text}")


def _show(reports: Sequence[Mapping[str, Any] | None], failures: Sequence[str]) -> None:
    """The table of the calls, one below the other, and what was not as it should be."""
    out = Console(highlight=False, width=max(100, Console().width) if sys.stdout.isatty() else 110)
    table = Table("", "call 1", "call 2", "call 3", title="What became of the calls", show_lines=True)
    rows: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("caller → number", lambda call: f"{call['caller']}\n→ {call['did']}"),
        ("flow", lambda call: f"{call['flow']} ({call['flow_version']})"),
        ("path", _path_text),
        ("result", lambda call: call["result"]),
        ("hung up by", lambda call: f"{call['hung_up_by']} ({call['hangup_cause']})"),
        ("waited", lambda call: f"{call['wait_ms'] / 1000:.2f} s"),
        ("talked", lambda call: f"{call['talk_ms'] / 1000:.2f} s" if call["talk_ms"] else "–"),
        ("recording", lambda call: _recording_text(call["recording"])),
    ]
    for title, text in rows:
        table.add_row(title, *("no record" if call is None else text(call) for call in reports))
    out.print(table)
    for call in reports:
        if call and call["recording"]:
            out.print("recording's object:", f"{call['recording']['url']}".partition("?")[0], soft_wrap=True)
            out.print("SHA-256:", call["recording"]["sha256"], soft_wrap=True)
    for failure in failures:
        out.print(f"[red]not as it should be:[/] {failure}")
    if not failures:
        out.print("[green]Everything was as it should be.[/]")


def _path_text(call: Mapping[str, Any]) -> str:
    return "\n".join(f"{visit['entered_ms'] / 1000:6.2f} s  {visit['node']}" for visit in call["visits"])


def _recording_text(recording: Mapping[str, Any] | None) -> str:
    if recording is None:
        return "–"
    return (
        f"{recording['format'].upper()}, {recording['channels']} channels, {recording['sample_rate']} Hz\n"
        f"{recording['duration_s']:.2f} s, {recording['bytes']} bytes"
    )
