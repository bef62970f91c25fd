"""Load tests on the run's switch, with few calls: that the figures are there and the records agree."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
from rich.console import Console

from callwright.load import bench_call
from callwright.load.own import NUMBER, Own, offer
from callwright.load.plan import SCENARIO, Plan
from callwright.load.results import Results
from callwright.load.run import measure
from tests.sip.conftest import WITHIN_S, System

pytestmark = pytest.mark.usefixtures("sipp")
CALLS = 6


@pytest.fixture
def own(system: System) -> Own:
    """The run's system with the reference call."""
    return offer(system.stack)


@pytest.fixture
def quiet() -> Console:
    return Console(quiet=True)


def test_our_own_system_answers_every_call_and_keeps_one_record_of_each(own: Own, quiet: Console) -> None:
    results = measure(own, Plan(rate=10, calls=CALLS), SCENARIO, own.stack.kind, quiet)
    assert results.ok, results.as_json()
    assert results.records is not None
    assert (results.records.expected, results.records.found) == (CALLS, CALLS)
    found = results.as_json()
    assert found["calls"] == {"made": CALLS, "successful": CALLS, "failed": 0}
    assert found["setup"]["answer"]["calls"] == CALLS
    assert found["length"]["p50_ms"] >= 1400, "two prompts of 300 ms and 800 ms of waiting"
    assert found["cpu_ms_per_call"]["engine"] > 0
    assert found["cpu_ms_per_call"]["switch"] > 0
    assert found["target"]["switch"] == own.stack.kind


def test_a_record_that_is_missing_is_told(own: Own, quiet: Console) -> None:
    results: Results = measure(own, Plan(rate=10, calls=2), SCENARIO, own.stack.kind, quiet)
    ids = [call.call_id for call in results.calls]
    hasty = dataclasses.replace(own, records_within_s=0)
    records = hasty.records([*ids, "never-called"], results.outcome.began_s)
    assert (records.lost, records.found, records.expected) == (("never-called",), 2, 3)


def test_the_command_calls_a_target(own: Own) -> None:
    line = own.stack.sip_external
    command = [sys.executable, "-m", "callwright", "load", "--target", f"{line.host}:{line.port}", "--to", NUMBER]
    command += ["--concurrent", "3", "--calls", str(CALLS), "--engine-pid", str(own.stack.engines[0].pid), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert found["peak_at_once"] == 3
    assert found["records"] is None
    assert (found["target"]["number"], found["target"]["switch"]) == (NUMBER, None)


@pytest.mark.freeswitch_only
def test_our_engine_beside_the_switchs_own_lua(own: Own, quiet: Console) -> None:
    found = bench_call.compare(own, Plan(rate=10, calls=CALLS), rounds=1, progress=quiet)
    if found.left_out:
        pytest.skip("needs a FreeSWITCH with mod_lua")
    assert found.lua is not None
    told = found.as_json()
    for side in (told["engine"], told["lua"]):
        assert (side["calls"], side["failures"]) == (CALLS, {})
        assert side["length"]["p50_ms"] >= 1400
        assert side["switch_cpu_ms_per_call"] > 0
    assert told["lua"]["engine_cpu_ms_per_call"] is None
    # Whether the goals are met is for the command to judge, on a machine that does nothing else.
    assert [goal["limit_ms"] for goal in told["goals"]] == [45, 60]
    assert all(goal["value_ms"] > 0 for goal in told["goals"])
    assert told["records_lost_or_double"] == 0
