"""What doctor finds on a machine, and how it tells it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from callwright.doctor import clocks, configuration, disk, examine, listening, machine, processes, report, switch_files
from callwright.doctor.command import AREAS
from callwright.doctor.finding import Finding, Subject, fail, ok
from callwright.local import freeswitch, ports
from callwright.local.ports import Block
from callwright.local.service import Home
from engine.config import Address, Config, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "callwright.toml"
    path.touch()
    return path


def whats(findings: Iterator[Finding] | list[Finding], level: str) -> list[str]:
    return [finding.what for finding in findings if finding.level == level]


# -- the command -----------------------------------------------------------------------------------------------------


def test_faults_of_the_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[engine]\nmax_sessions = -1\nnam = 'x'\n", encoding="utf-8")
    assert report.run(file) == 78
    output = " ".join(capsys.readouterr().out.split())
    assert f"{file}: engine.max_sessions: must be at least 1, got -1" in output
    assert output.endswith("2 to mend")
    assert report.run(file, as_json=True) == 78
    told = json.loads(capsys.readouterr().out)
    assert [(each["area"], each["level"]) for each in told["findings"]] == [("configuration", "fail")] * 2
    assert all(each["advice"].startswith("correct it") for each in told["findings"])
    assert output.count("correct it") == 1, "once for a person"


def test_all_is_well_and_short_without_a_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.run(file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("everything needed is here")
    assert [line for line in lines if line and not line.startswith(" ")][:-1] == [
        *("machine", "configuration", "disk", "speech", "ports", "database"),
    ]
    assert len(lines) < 40


def test_what_is_configured_and_does_not_answer(file: Path) -> None:
    block = Block(ports.SINGLE)
    nobody = block.take()
    file.write_text(
        f'[database]\nurl = "postgresql://me@127.0.0.1:{nobody}/x"\npassword = "geheim"\n'
        f'[redis]\nurl = "redis://127.0.0.1:{nobody}/0"\n'
        f'[s3]\nendpoint_url = "http://127.0.0.1:{nobody}"\naccess_key = "a"\nsecret_key = "geheim"\n'
        f'[api]\nlisten = "127.0.0.1:{nobody}"\n'
        f'[[switches]]\nname = "fs1"\nport = {nobody}\npassword = "geheim-geheim-geheim"\n',
        encoding="utf-8",
    )
    found = examine.examine(Subject(load(file, {}), file))
    block.release()
    failed = {each.area: [finding for finding in each.findings if finding.level == "fail"] for each in found}
    assert [area for area, findings in failed.items() if findings] == [
        *("database", "redis", "storage", "processes", "switch fs1"),
    ]
    assert all(finding.advice for findings in failed.values() for finding in findings)
    assert "geheim" not in repr(found)


def test_only_some_areas_and_as_json(file: Path) -> None:
    command = [sys.executable, "-m", "callwright", "--config", str(file), "doctor", "--json", "--only", "disk"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {each["area"] for each in told["findings"]} == {"disk"}
    assert (told["exit_code"], told["fail"]) == (0, 0)


def test_one_area_that_is_well_says_nothing_of_the_others(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.run(file, only=["ports"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("nothing to mend in: ports")


def test_a_switch_is_told_from_another() -> None:
    told = report.document([examine.Examined("switch fs-a", [ok("x")]), examine.Examined("disk", [ok("y")])], 0)
    findings = told["findings"]
    assert isinstance(findings, list)
    assert [(each["area"], each["name"]) for each in findings] == [("switch", "fs-a"), ("disk", "")]


def test_a_weak_password_is_told_of_wherever_it_stands(file: Path) -> None:
    password = "too-short"
    subject = loaded(
        file,
        f'[dialplan]\nevent_socket_password = "{password}"\n[[switches]]\nname = "a"\npassword = "{password}"\n',
    )
    found = list(configuration.secrets(subject.config))
    names = [each.what.partition(" is ")[0] for each in found if each.level == "fail"]
    assert names == ["dialplan.event_socket_password", "switches[0].password"]
    assert password not in repr(found)


def test_every_area_can_be_named() -> None:
    assert set(AREAS) == {*examine.AREAS, "switch"}


def test_an_area_that_breaks_down_and_one_that_hangs_stop_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def breaks(subject: Subject) -> Iterator[Finding]:
        yield ok("so far")
        raise ZeroDivisionError("ours")

    def hangs(subject: Subject) -> Iterator[Finding]:
        yield ok("begun")
        released.wait()

    areas = {"breaks": breaks, "hangs": hangs, "works": lambda subject: iter([ok("done")])}
    monkeypatch.setattr(examine, "AREAS", areas)
    found = examine.examine(Subject(Config()), deadline_s=0.5)
    released.set()
    assert [each.area for each in found] == ["breaks", "hangs", "works"]
    assert [finding.level for each in found for finding in each.findings] == ["ok", "fail", "ok", "fail", "ok"]
    assert found[0].findings[1].what == "a check of doctor itself broke down: ZeroDivisionError: ours"
    assert found[1].findings[1].what == "not finished after 0.5 s"


@pytest.mark.parametrize("width", [80, 120])
def test_lines_keep_within_the_terminal(width: int) -> None:
    long = "a long sentence about what is wrong here, " * 6
    found = [examine.Examined("disk", [fail(long, long), ok("short")])]
    told = report.lines(found, min(width, report.WIDEST))
    plain = [line.replace("\x1b[0m", "").partition("m")[2] if "\x1b" in line else line for line in told]
    assert max(map(len, plain)) <= width
    assert told[-1] == "1 to mend"


# -- the machine -----------------------------------------------------------------------------------------------------


def test_a_wheel_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROGRAMS", {"PostgreSQL": ("no-such-wheel", "bin/postgres")})
    finding = next(machine.programs())
    assert finding.level == "warn"
    assert "pip install 'callwright[embedded]'" in finding.what


def test_libraries_of_other_versions() -> None:
    wanted = ["click==0.1", "no-such-library==1.0", 'not-for-us==1.0; extra == "test"', "pytest>=1"]
    (found,) = machine.libraries(wanted)
    assert found.level == "warn"
    there, missing = found.what.partition(": ")[2].split(", ")
    assert there.startswith("click ")
    assert there.endswith(" in place of 0.1")
    assert missing == "no-such-library is missing"


def test_a_system_that_runs_here_is_pointed_at_last(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config.model_validate({"engine": {"state_dir": tmp_path}})
    assert machine.running_here(Subject(config)) == ""
    home = Home(tmp_path)
    file.write_text(f'[engine]\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    report.run(file, only=["configuration"])
    home.close()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"callwright --config {tmp_path}/run/callwright.toml doctor")


def test_freeswitch_is_found_by_the_environment(tmp_path: Path) -> None:
    program = tmp_path / "freeswitch"
    program.touch(mode=0o755)
    assert freeswitch.find({"FREESWITCH_BIN": str(program), "PATH": ""}) == program
    assert freeswitch.find({"PATH": str(tmp_path)}) == program
    assert freeswitch.find({"PATH": str(tmp_path / "nowhere")}) is None


# -- configuration ---------------------------------------------------------------------------------------------------


def loaded(file: Path, text: str) -> Subject:
    file.write_text(text, encoding="utf-8")
    return Subject(load(file, {}), file)


def test_what_is_open_to_every_network(file: Path) -> None:
    subject = loaded(
        file,
        '[api]\nlisten = "0.0.0.0:8080"\nkeys = ["short"]\n'
        '[dialplan]\nevent_socket_listen = "8.8.8.8:8021"\nevent_socket_password = "ClueCon"\n'
        '[redis]\nurl = "redis://8.8.4.4/0"\n'
        '[s3]\nendpoint_url = "http://8.8.4.4"\n'
        '[[switches]]\nname = "fs1"\nhost = "8.8.8.8"\npassword = "a-password-of-ours"\n',
    )
    found = [*configuration.addresses(subject.config), *configuration.secrets(subject.config)]
    assert [(each.level, each.what.partition(":")[0].partition(" ")[0]) for each in found] == [
        ("warn", "api.listen"),
        ("fail", "dialplan.event_socket_listen"),
        ("fail", "switch"),
        ("warn", "s3.endpoint_url"),
        ("warn", "redis.url"),
        ("fail", "dialplan.event_socket_password"),
        ("fail", "switch"),
        ("warn", "api.keys"),
        ("warn", "redis.url"),
    ]
    assert "a-password-of-ours" not in repr(found)


def test_private_addresses_are_in_order(file: Path) -> None:
    subject = loaded(file, '[api]\nlisten = "10.0.0.1:8080"\n[redis]\nurl = "rediss://:word@8.8.4.4/0"\n')
    assert [*configuration.addresses(subject.config), *configuration.secrets(subject.config)] == []


def test_a_file_with_secrets_that_everybody_may_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "readable_by_others", lambda path: bool(path.stat().st_mode & stat.S_IROTH))
    file.chmod(0o644)
    assert list(configuration.secret_files(loaded(file, '[engine]\nname = "e1"\n'))) == []
    (found,) = configuration.secret_files(loaded(file, '[api]\nkeys = ["a-key-of-some-length"]\n'))
    assert (found.level, found.advice) == ("warn", f"chmod 640 {file}")


def test_directories_that_are_not_there(file: Path, tmp_path: Path) -> None:
    subject = loaded(file, '[redis]\nurl = "redis://localhost"\n')
    assert len(whats(configuration.directories(subject), "warn")) == 2
    for name in ("recordings", "prompts"):
        (tmp_path / ".callwright" / name).mkdir(parents=True)
    assert whats(configuration.directories(subject), "ok") == [
        f"recordings {tmp_path}/.callwright/recordings",
        f"prompts {tmp_path}/.callwright/prompts",
    ]


# -- disk and ports --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "inodes", "levels"),
    [(1000, 50, ["ok"]), (10, 50, ["warn"]), (1, 50, ["fail"]), (1000, 5, ["ok", "warn"]), (1000, 1, ["ok", "fail"])],
)
def test_little_room(tmp_path: Path, blocks: int, inodes: int, levels: list[str]) -> None:
    told = SimpleNamespace(f_bavail=blocks, f_frsize=100 * 1024 * 1024, f_files=100, f_favail=inodes)
    found = list(disk.room("engine.state_dir", tmp_path / "not" / "there", tmp_path, lambda place: told))  # type: ignore[arg-type,return-value]
    assert [each.level for each in found] == levels
    assert found[0].what == f"{blocks * 100} MiB free for {tmp_path}/not/there"


def test_a_directory_that_can_be_written(tmp_path: Path) -> None:
    (found,) = disk.writable("engine.state_dir", tmp_path)
    assert found.what.startswith(f"{tmp_path} can be written, a sync takes ")
    assert list(tmp_path.iterdir()) == []


def test_a_spool_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spool", "journal"):
        (tmp_path / name).mkdir()
    # root, as which tests may run, is refused nothing
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "spool")
    assert whats(disk.writable("engine.state_dir", tmp_path), "fail") == [f"spool in {tmp_path} cannot be written"]


def test_a_port_that_somebody_else_holds(file: Path) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        plain = loaded(file, f'[api]\nlisten = "127.0.0.1:{port}"\n')
        (found,) = [each for each in listening.examine(plain) if each.what.startswith("ports in use")]
        assert f"{port} (API) by process {os.getpid()}" in found.what
        assert found.level == "warn"
        system = loaded(file, f'[api]\nlisten = "127.0.0.1:{port}"\n[redis]\nurl = "redis://localhost"\n')
        assert any(what.startswith("ports in use") for what in whats(listening.examine(system), "fail"))


def test_media_ports_that_the_kernel_gives_away(tmp_path: Path) -> None:
    (tmp_path / "ip_local_port_range").write_text("20000 60999\n", encoding="ascii")
    reserved = tmp_path / "ip_local_reserved_ports"
    for text, level, count in (("\n", "warn", "12768"), ("16384-32000\n", "warn", "767"), ("16384-32767\n", "ok", "")):
        reserved.write_text(text, encoding="ascii")
        (found,) = listening.media(Config(), tmp_path)
        assert found.level == level
        assert count in found.what


# -- clocks and files ------------------------------------------------------------------------------------------------


def ticking(*times: float) -> Callable[[], float]:
    rest = iter(times)
    return lambda: next(rest)


@pytest.mark.parametrize(
    ("there", "step_s", "level"),
    [(100.5, 0, None), (101.9, 0, "warn"), (107.0, 0, "fail"), (93.0, 0, "fail"), (101.1, 1.0, None)],
)
def test_a_clock_elsewhere(there: float, step_s: float, level: str | None) -> None:
    clock = clocks.Clock("Redis", lambda: there, step_s)
    found = clocks.judged(clock, *clocks.difference(clock, ticking(100.0, 100.2)))
    assert (found.level if found else None) == level


def test_a_slow_answer_is_not_held_against_a_clock() -> None:
    clock = clocks.Clock("Redis", lambda: 108.0)
    assert clocks.judged(clock, *clocks.difference(clock, ticking(100.0, 110.0))) is None


@pytest.mark.parametrize(("url", "state", "levels"), [
    ("redis://127.0.0.1", 5, []), ("redis://10.0.0.1", 5, ["warn"]), ("redis://10.0.0.1", 0, ["ok"]),
])  # fmt: skip
def test_a_clock_that_nobody_sets(file: Path, url: str, state: int, levels: list[str]) -> None:
    subject = loaded(file, f'[redis]\nurl = "{url}"\n')
    found = clocks.kept_in_time(subject.config, lambda buffer: state)
    assert [each.level for each in found] == levels


def test_who_may_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    found = tmp_path.stat()
    assert switch_files.may_write(tmp_path, 0, set())
    assert found.st_uid == 0 or switch_files.may_write(tmp_path, found.st_uid, set())
    stranger = found.st_uid + 1
    assert not switch_files.may_write(tmp_path, stranger, {found.st_gid})
    tmp_path.chmod(0o770)
    assert switch_files.may_write(tmp_path, stranger, {found.st_gid})
    assert not switch_files.may_write(tmp_path, stranger, {found.st_gid + 1})


def test_processes_of_another_version() -> None:
    assert [each.level for each in processes._compared("the API", "0.0.1")] == ["warn"]
    assert [each.level for each in processes._compared("the API", None)] == ["warn"]


def test_an_address_of_another_machine_is_not_here() -> None:
    assert listening.is_here("127.0.0.1")
    assert not listening.is_here("192.0.2.77")
    assert str(Address(host="127.0.0.1", port=1)) == "127.0.0.1:1"
