"""Is it well, and what the JSON and the report say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from callwright.load import report
from callwright.load.plan import Plan
from callwright.load.results import Records, answered
from callwright.load.trace import CUT_OFF
from tests.unit.load import captures


def test_all_well() -> None:
    results = captures.results("good", Plan(rate=10, calls=12), Records(12, 12, (), ()))
    assert results.ok
    assert (results.made, results.successful, results.failures) == (12, 12, 0)
    assert results.peak == 5
    assert results.rate == pytest.approx(10, abs=0.2)
    assert results.doubts() == []
    assert results.cpu_ms_per_call() == {"engine": None, "switch": 41.67}
    assert len(answered(results.calls)) == 12


@pytest.mark.parametrize(("run", "successful"), [("busy", 0), ("timeout", 0), ("nobody", 0), ("cut_off", 0)])
def test_a_run_with_failures_is_not_well(run: str, successful: int) -> None:
    results = captures.results(run)
    assert not results.ok
    assert results.successful == successful
    assert results.failures == results.made


@pytest.mark.parametrize(
    "records", [Records(12, 11, ("cw-3",), ()), Records(12, 12, (), ("cw-4",))], ids=["lost", "double"]
)
def test_a_record_that_is_lost_or_double_is_not_well(records: Records) -> None:
    assert not captures.results("good", records=records).ok


def test_fewer_calls_than_asked_for_are_not_well() -> None:
    assert not captures.results("good", Plan(rate=10, calls=13)).ok
    assert captures.results("good", Plan(rate=10, calls=13, duration_s=1)).ok, "the duration came first"


def test_an_interrupted_run_is_not_well() -> None:
    results = captures.results("good")
    assert not replace(results, outcome=replace(results.outcome, interrupted=True)).ok


def test_doubts() -> None:
    results = captures.results("nobody", Plan(rate=20), cpu_s=9.0)
    slow, again = "SIPp used 90% of a core", "6 messages were sent again"
    assert [words for words in results.doubts() if words.startswith((slow, again))] == [
        "SIPp used 90% of a core: it was the bottleneck. Run several, or call slower",
        "6 messages were sent again: packets were lost, or the other side was slow to answer",
    ]
    assert any("new calls a second were made, 20 were asked for" in words for words in results.doubts())
    assert (
        "5 calls at once were reached, 50 were asked for" in captures.results("good", Plan(concurrent=50)).doubts()[0]
    )


def test_the_json_says_it_all() -> None:
    told = json.loads(json.dumps(captures.results("cut_off").as_json()))
    assert told["ok"] is False
    assert told["calls"] == {"made": 11, "successful": 0, "failed": 11}
    assert told["failures"] == {CUT_OFF: 11}
    assert told["setup"]["answer"]["calls"] == 11
    assert told["length"] is None
    assert told["cpu_ms_per_call"] == {"engine": None, "switch": 45.45}
    assert told["records"] is None
    assert len(told["over_time"]) == 120


def test_the_report_names_failures_and_records(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(captures.results("busy", records=Records(4, 3, ("cw-2",), ())))
    said = capsys.readouterr().out
    assert "SIP 486 Busy Here" in said
    assert "call records: 3 for 4 answered calls: 1 lost, 0 double" in said
    assert "no record: SIP Call-ID cw-2" in said
    assert "engine not measured" in said
    assert "Not all was as it should be." in said
