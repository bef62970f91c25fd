"""`callwright simulate`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from callwright.simulate.experiment import estimate, simulate
from callwright.simulate.scenario import load, shipped
from callwright.simulate.table import as_json, as_text
from tests.unit.simulate.centres import document

OVERLOAD = {"patience_s": {"kind": "exponential", "mean_s": 60}, "arrivals": [{"from_h": 0, "per_hour": 90}]}


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["simulate", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "day.json"
    found.write_text(json.dumps(document(5, [{"count": 3}], **OVERLOAD)), encoding="utf-8")
    return found


def test_the_tables(file: Path) -> None:
    code, output = run(file, "--runs", 3, "--expected-wait")
    assert code == 0
    lines = output.splitlines()
    assert lines[:2] == [
        "A test",
        "3 runs of 5 h, seed 1; mean ± half the width of the 95 % confidence interval",
    ]
    heads = [line.split("  ")[0] for line in lines if line]
    assert heads[2:8] == ["queue", "q", "agents", "a", "expected wait", "q"]
    assert "Erlang A" in output
    assert lines[-1].startswith("15 h simulated in ")
    assert lines[-1].endswith(" times as fast as life")
    assert "±" not in run(file, "--runs", 1)[1]


def test_the_table_says_whether_chance_explains_the_difference(file: Path) -> None:
    scenario = load(str(file))
    result = simulate(scenario, runs=3, seed=1)
    assert result.formula is not None
    name, steady = result.formula
    level = result.queues["all"]["service_level"]
    assert level.half_width is not None
    for off, said in ((0.9, "yes"), (-0.9, "yes"), (1.1, "no"), (-1.1, "no")):
        expected = replace(steady, service_level=level.mean + off * level.half_width)
        shown = replace(result, formula=(name, expected))
        (line,) = (each for each in as_text(scenario, shown).splitlines() if each.startswith("level %"))
        assert line.split()[-1] == said
        assert json.loads(as_json(scenario, shown))["formula"]["within_chance"]["service_level"] is (said == "yes")


def test_json(file: Path) -> None:
    code, output = run(file, "--runs", 3, "--seed", 7, "--json", "--expected-wait")
    found = json.loads(output)
    assert code == 0
    assert set(found) == {
        "scenario", "runs", "seed", "hours", "queues", "agents", "expected_wait", "formula", "speed",
    }  # fmt: skip
    assert (found["runs"], found["seed"], found["hours"]) == (3, 7, 5)
    level = found["queues"]["q"]["service_level"]
    assert 0 < level["mean"] < 1
    assert 0 < level["half_width"] < 1
    assert found["queues"]["q"]["offered"]["mean"] == pytest.approx(450, abs=60)
    assert found["formula"]["name"] == "Erlang A"
    simulated = found["agents"]["all"]["occupancy"]["mean"]
    assert simulated / found["formula"]["occupancy"] - 1 == pytest.approx(found["formula"]["deviation"]["occupancy"])
    again = json.loads(run(file, "--runs", 3, "--seed", 7, "--json", "--expected-wait")[1])
    other = json.loads(run(file, "--runs", 3, "--seed", 8, "--json", "--expected-wait")[1])
    assert found | {"speed": 0} == again | {"speed": 0}
    assert found["queues"] != other["queues"]
    assert "expected_wait" not in json.loads(run(file, "--runs", 1, "--json")[1])


def test_callers_whom_nobody_is_left_to_take(tmp_path: Path) -> None:
    file = tmp_path / "short.json"
    file.write_text(json.dumps(document(2, [{"shifts": [{"from_h": 0, "to_h": 1}]}])), encoding="utf-8")
    output = run(file, "--runs", 1)[1]
    assert "callers a run still waited when nobody was left to take them" in output
    assert "Erlang" not in output


def test_shipped_scenarios_are_in_the_help() -> None:
    text = run("--help")[1]
    assert all(f"  {name}  " in text for name in shipped())


def test_a_shipped_scenario_by_name() -> None:
    code, output = run("contact-centre", "--runs", 1)
    assert code == 0
    assert output.startswith("A contact centre's day\n")
    assert [line.split()[0] for line in output.splitlines()[5:11]] == [
        "sales", "care", "billing", "technical", "faults", "all",
    ]  # fmt: skip


def test_what_is_refused(file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**document(), "hours": 0, "agent": []}), encoding="utf-8")
    code, output = run(wrong)
    assert code == 2
    assert f"{wrong}: hours: must be greater than 0 (is 0)" in output
    assert f"{wrong}: agent: is not known here; is agents meant?" in output
    assert "no such file; shipped scenarios: " in run("nothing")[1]
    assert "name a SCENARIO" in run()[1]
    assert "go with --from-calls" in run(file, "--since", "2026-11-23T07:00:00Z")[1]
    assert "go with --from-calls" in run(file, "--save", tmp_path / "other.json")[1]
    assert "--from-calls needs --since" in run("--from-calls")[1]
    assert "leave SCENARIO out" in run(file, "--from-calls", "--since", "2026-11-23T07:00:00Z")[1]
    assert "is no moment" in run("--from-calls", "--since", "yesterday")[1]
    assert "has no zone" in run("--from-calls", "--since", "2026-11-23T07:00:00")[1]
    assert "is still to come" in run("--from-calls", "--since", "9999-01-01T00:00:00Z")[1]


@pytest.mark.parametrize(("values", "t"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (31, 2.042)])
def test_confidence_by_student(values: int, t: float) -> None:
    sample = NormalDist().quantiles(values + 1)
    found = estimate(sample)
    spread = (sum((each - found.mean) ** 2 for each in sample) / (values - 1)) ** 0.5
    assert found.half_width == pytest.approx(t * spread / values**0.5, rel=1e-3)
    assert estimate([5.0]).half_width is None
