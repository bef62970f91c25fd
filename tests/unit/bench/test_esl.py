"""The command from its beginning to its end, with few calls. What it finds is another matter: the machine is busy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callwright.bench.environment import EnvironmentMissing, genesis_python, user_cache
from callwright.cli import cli

FEW = ["--json", "--calls", "3", "--rounds", "1", "--waiting", "3", "--burst", "20"]
CALLS = 30 + 3 + 3 + 10
"""Warm-up, round, waiting, burst."""


def _run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["bench", "esl", *FEW, *arguments])
    assert done.exit_code in (1, 3), done.output  # not all are measured, and three calls may miss a goal
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _assert_measured(found: dict[str, Any], *names: str) -> None:
    assert [result["name"] for result in found["results"]] == list(names)
    assert found["faults"] == []
    assert found["left_out"] == {}
    for result in found["results"]:
        assert (result["completed"], result["calls"]) == (CALLS, CALLS)
        assert result["cpu_ms_per_call"] > 0
        assert result["events_per_s"] > 0
        assert isinstance(result["kb_per_idle_call"], float)


def test_our_engine_and_greenswitch_complete_all_calls(tmp_path: Path) -> None:
    found = _run("--only", "callwright", "--only", "greenswitch", "--cache-dir", str(tmp_path))
    _assert_measured(found, "callwright", "greenswitch")
    assert found["records"] == {"written": CALLS, "calls": CALLS}
    assert found["goals"][0]["value"] == found["ratios"]["greenswitch"]["cpu_per_call"]


def test_genesis_completes_all_calls() -> None:
    # kept from run to run in the user's cache: making the environment takes half a minute
    try:
        genesis_python(user_cache(), lambda step: None)
    except EnvironmentMissing as missing:
        pytest.skip(f"Genesis not measured: {missing}")
    _assert_measured(_run("--only", "genesis"), "genesis")


def test_without_a_package_index_genesis_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(EnvironmentMissing, match=r"pip install genesis==.* failed: ERROR: .*package index") as caught:
        genesis_python(tmp_path, lambda step: None)
    assert "once" in str(caught.value)
