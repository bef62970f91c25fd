"""The command line: what it says, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from callwright import cli
from callwright.local.process import ProcessDied
from callwright.local.service import StateInUse
from engine.config import ConfigError
from ivr_flows import library

COMMANDS = {
    "agent", "api", "bench", "config", "db", "demo", "dialplan", "doctor", "engine", "flow", "lab", "load", "prompt",
    "recordings", "replay", "requirements", "simulate", "speech", "up", "voice", "why",
}  # fmt: skip


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.cli, arguments)
    return result.exit_code, result.output


def process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callwright", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_help_names_every_command_with_examples() -> None:
    code, output = run("--help")
    assert code == 0
    assert set(cli.cli.commands) == COMMANDS
    assert all(f"\n  {command} " in output for command in COMMANDS)
    assert "callwright up" in output.partition("Examples:")[2]


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from callwright.cli import cli\n"
        "CliRunner().invoke(cli, ['up', '--help'])\n"
        "print(sorted({'gevent', 'flask', 'boto3', 'sqlalchemy', 'pydantic', 'rich', 'redis'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_tells_each_command_to_the_end_of_its_first_sentence() -> None:
    for path in ((), ("bench",), ("dialplan",), ("flow",), ("prompt",), ("voice",)):
        listed = run(*path, "--help")[1].partition("Commands:")[2].partition("Examples:")[0]
        assert listed
        assert "..." not in listed


@pytest.mark.parametrize(
    "path", [(), *[(name,) for name in sorted(COMMANDS)], ("dialplan", "render"), ("db", "upgrade")]
)
def test_every_command_has_help(path: Sequence[str]) -> None:
    code, output = run(*path, "--help")
    assert code == 0
    assert len(output.splitlines()) > 4


def test_faults_of_the_configuration_are_told_and_end_with_78(tmp_path: Path) -> None:
    (tmp_path / "callwright.toml").write_text("[engine]\nmax_sessions = 0\nnam = 'x'\n", encoding="utf-8")
    for command in (["config", "check"], ["engine"], ["up"]):
        done = process(*command, cwd=tmp_path)
        assert done.returncode == 78, done.stderr
        assert done.stderr.splitlines() == [
            "callwright.toml: engine.max_sessions: must be at least 1, got 0",
            "callwright.toml: engine.nam: unknown; did you mean name?",
        ]


def test_an_engine_without_its_services_says_what_it_needs(tmp_path: Path) -> None:
    done = process("engine", cwd=tmp_path)
    assert done.returncode == 78
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["database.url", "redis.url", "switches"]


@pytest.mark.req("R123")
def test_show_hides_secrets(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[database]\nurl = "postgresql://me:geheim@db/x"\n[api]\nkeys = ["geheim"]\n', encoding="utf-8")
    code, output = run("--config", str(file), "config", "show")
    assert code == 0
    assert "geheim" not in output
    shown = json.loads(output)
    assert shown["api"] == {"listen": "127.0.0.1:8080", "keys": ["**********"], "keys_file": None, "link_expiry_s": 300}


def test_flow_check(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    document = library.template("main")
    good.write_text(json.dumps(document), encoding="utf-8")
    document["nodes"]["menu"]["tpye"] = document["nodes"]["menu"].pop("type")
    bad.write_text(json.dumps(document), encoding="utf-8")
    assert run("flow", "check", str(good)) == (0, f"{good}: ok, a person is reached after 45 s at most\n")
    code, output = run("flow", "check", str(good), str(bad))
    assert code == 1
    assert f"at most\n{bad}: error " in output


def test_flow_schema_is_json() -> None:
    code, output = run("flow", "schema")
    assert code == 0
    assert "$schema" in json.loads(output)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(["a: b", "c: d"]), 78),
        (ProcessDied("lab", "ended with exit code 1", "the end"), 1),
        (StateInUse("in use"), 1),
        (ZeroDivisionError("ours"), None),
    ],
)
def test_exit_codes(error: Exception, code: int | None) -> None:
    assert cli._known(error) == code
