"""The demo's line of JSON is for machines: with --json, or where no terminal shows it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from click.testing import CliRunner

from callwright import demo
from callwright.cli import cli
from engine.config import Config

demo_run = import_module("callwright.demo.run")
CALLS = {"ok": True, "switch": "lab", "calls": [{"caller": "+420601000001"}]}


def run(as_json: bool) -> int:
    return demo.run(Config(), switch="lab", state_dir=None, as_json=as_json)


@pytest.mark.parametrize("ok", [True, False])
def test_the_line_is_told_to_whoever_wants_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ok: bool
) -> None:
    monkeypatch.setattr(demo_run, "_run", lambda *_, **__: CALLS | {"ok": ok})
    assert run(as_json=True) == int(not ok)
    assert json.loads(capsys.readouterr().out) == CALLS | {"ok": ok}
    assert run(as_json=False) == int(not ok)
    assert capsys.readouterr().out == ""


def test_what_keeps_the_system_from_coming_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(demo_run, "_run", fails)
    with pytest.raises(OSError, match="no port is free"):
        run(as_json=True)
    assert json.loads(capsys.readouterr().out)["error"] == "no port is free"
    with pytest.raises(OSError, match="no port is free"):
        run(as_json=False)
    assert capsys.readouterr().out == ""


def test_where_no_terminal_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_run, "_run", lambda *_, **__: CALLS)
    done = CliRunner().invoke(cli, ["demo"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, CALLS)
