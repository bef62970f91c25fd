"""`callwright bench flow` and `bench checks`: what is measured and judged. The numbers are the machine's, no test's."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from callwright.flow import bench, benchmark


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["bench", "flow", *arguments])
    return done.exit_code, done.output


def test_what_is_measured() -> None:
    code, told = run("--rounds", "2", "--programs", "50", "--json")
    found = json.loads(told)
    assert set(found["node_us"]) == {"play", "menu", "branch", "set"}
    assert all(cpu_us > 0 for cpu_us in found["node_us"].values())
    assert found["process_mb"] > 10
    assert code == (0 if found["ok"] else 1)


@pytest.mark.parametrize("name", bench.TYPES)
def test_the_flows_are_made_of_the_nodes_that_they_are_called_after(name: str) -> None:
    types = [type(wired.node).__name__.lower() for wired in bench.chain(name).nodes.values()]
    assert types == [name] * bench.NODES + ["hangup"]


@pytest.mark.parametrize(
    ("measured", "code", "message"),
    [
        (bench.Measured({"play": 15.0, "menu": 4.0}, 10_000, 299.0, 20.0), 0, "goal at most 15 µs: met"),
        (bench.Measured({"play": 15.1, "menu": 4.0}, 10_000, 299.0, 20.0), 1, "goal at most 15 µs: missed"),
        (bench.Measured({"play": 15.0, "menu": 4.0}, 10_000, 300.0, 20.0), 1, "goal under 300 MB: missed"),
    ],
)
def test_goals_are_judged(measured: bench.Measured, code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measure", lambda rounds, programs: measured)
    assert run()[0] == code
    assert message in run()[1]
    assert json.loads(run("--json")[1])["ok"] is (code == 0)


def test_the_checks_of_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "SIZES", (20, 40))
    done = CliRunner().invoke(cli, ["bench", "checks"])
    assert done.exit_code == 0
    assert [line.split()[:2] for line in done.output.splitlines()] == [["20", "nodes"], ["40", "nodes"]]
    assert done.output.splitlines()[1].endswith("times that of 20")
