"""`callwright simulate --from-calls` against an API that is served as it is served to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from engine.domain.call import CallResult, Visit
from engine.store.calls import CallStore
from tests.integration.api.conftest import KEY, Api
from tests.integration.store.samples import T0, record
from tests.unit.simulate.centres import document

SINCE = "2026-09-21T14:00:00Z"


def write(api: Api, number: int, waits_s: int, talk_s: int) -> None:
    """A call that comes to the queue's node two seconds after its start; without talk its caller gives up."""
    began_ms = T0 + number * 10_000
    left_ms = began_ms + (2 + waits_s + talk_s) * 1000
    path = (
        Visit("main", "1", "menu", began_ms, began_ms + 2_000, "sales"),
        Visit("main", "1", "sales", began_ms + 2_000, left_ms, "finished" if talk_s else None),
    )
    changes: dict[str, Any] = {
        "started_ms": began_ms,
        "ended_ms": left_ms,
        "wait_ms": (2 + waits_s) * 1000,
        "talk_ms": talk_s * 1000,
        "path": path,
        "result": CallResult.HANDLED if talk_s else CallResult.LOST_IN_QUEUE,
        "recordings": (),
    }
    CallStore(api.database).write(record(f"call-{number}", **changes), ())


def run(served: str, file: Path, *more: str) -> tuple[int, str]:
    arguments = ["simulate", str(file), "--from-calls", "--since", SINCE, "--runs", "2", *more]
    done = CliRunner().invoke(cli, arguments, env={"API": served, "KEY": KEY})
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "day.json"
    recorded = {"recorded": {"flow": "main", "node": "sales"}, "arrivals": [{"from_h": 0, "per_hour": 5000}]}
    made.write_text(json.dumps(document(2, [{"count": 2}], **recorded)), encoding="utf-8")
    return made


def test_a_recorded_day(api: Api, served: str, file: Path) -> None:
    for number in range(230):  # more than a page of the API
        write(api, number, waits_s=number % 30, talk_s=0 if number % 5 == 0 else 15)
    write(api, 100_000, waits_s=5, talk_s=5)  # of another day
    code, output = run(served, file, "--json")
    assert code == 0, output
    found = json.loads(output)
    queue = found["queues"]["q"]
    assert queue["offered"] == {"mean": 230, "half_width": 0}
    assert found["agents"]["a"]["occupancy"]["mean"] == pytest.approx(230 * 15 / (2 * 7200), rel=0.05)
    assert "formula" not in found


def test_what_is_refused(api: Api, served: str, file: Path) -> None:
    write(api, 0, waits_s=1, talk_s=1)
    other = file.with_name("other.json")
    other.write_text(file.read_text(encoding="utf-8").replace('"sales"', '"sale"'), encoding="utf-8")
    code, output = run(served, other)
    assert code == 2
    assert f"queue q: none of the 1 calls since {SINCE} came to its node; check flow, node and --since" in output
    code, output = run("http://127.0.0.1:1", file)
    assert code == 1
    assert "the API doesn't answer" in output
