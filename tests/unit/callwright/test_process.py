"""Child processes: ready or dead at once, stopped in order, never left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callwright.local.process import NotReady, Process, ProcessDied, wait_for_exit
from callwright.local.supervisor import Supervisor


def python(code: str, log: Path, name: str = "child", **options: object) -> Process:
    return Process(name, [sys.executable, "-c", code], log=log, **options)  # type: ignore[arg-type]


WAITS = "import signal; signal.pause()"
WAITS_FOR_EVER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); signal.pause()"


def test_a_death_before_readiness_is_told_with_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier run\n", encoding="utf-8")
    process = python("print('cannot bind'); raise SystemExit(3)", log)
    with pytest.raises(ProcessDied, match=r"(?s)^child ended with exit code 3; the end of its log:\ncannot bind$"):
        process.wait_ready(lambda: False)


def test_not_ready_in_time(tmp_path: Path) -> None:
    process = python(WAITS, tmp_path / "log")
    with pytest.raises(NotReady, match=r"child was not ready after 0.1 s; its log is empty"):
        process.wait_ready(lambda: False, timeout_s=0.1)
    process.stop()
    assert not process.running()


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = python(WAITS_FOR_EVER, log, stop_timeout_s=0.2)
    process.wait_ready(lambda: process.tail() == "on")
    process.stop()
    assert process.popen.returncode == -signal.SIGKILL


def test_children_of_a_child_are_swept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    forks = "import os, signal; os.fork() or (print(os.getpid(), flush=True), signal.pause()); signal.pause()"
    process = python(forks, log)
    process.wait_ready(lambda: process.tail() != "")
    grandchild = os.pidfd_open(int(process.tail()))
    try:
        process.stop()
        assert select.select([grandchild], [], [], 5)[0], "the grandchild lives on"
    finally:
        os.close(grandchild)


def test_the_supervisor_names_the_dead(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.keep(python(WAITS, tmp_path / "a", "lives"))
    supervisor.keep(python("import os; print('oh no', flush=True); os.abort()", tmp_path / "b", "dies"))
    try:
        with pytest.raises(ProcessDied, match=r"(?s)^dies was ended by SIGABRT; the end of its log:\noh no"):
            supervisor.wait(timeout_s=10)
    finally:
        supervisor.stop()


def test_the_supervisor_stops_the_last_one_first(tmp_path: Path) -> None:
    order: list[str] = []
    supervisor = Supervisor()
    for name in ("first", "second"):
        process = python(WAITS, tmp_path / name, name)

        def stop(process: Process = process) -> None:
            order.append(process.name)
            process.stop()

        supervisor.keep(process, stop)
    supervisor.stop()
    supervisor.check()
    assert order == ["second", "first"]


def test_a_process_that_was_killed_on_purpose_is_no_death(tmp_path: Path) -> None:
    supervisor = Supervisor()
    process = python(WAITS, tmp_path / "log")
    supervisor.keep(process)
    process.kill()
    supervisor.check()
    assert wait_for_exit([process], 1) is process


def test_a_killed_parent_leaves_nobody_behind(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from callwright.local.process import Process\n"
        f"child = Process('c', [sys.executable, '-c', {WAITS_FOR_EVER!r}], log=Path({str(tmp_path / 'log')!r}))\n"
        "child.wait_ready(lambda: child.tail() == 'on')\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], 5)[0], "the child lives on"
    finally:
        os.close(child)


def test_processes_are_asked_to_end_at_once_and_services_last(tmp_path: Path) -> None:
    """The later one ends only when the earlier one has ended: the other way round it would be killed."""
    mark, on = tmp_path / "mark", "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); "
    on += "print('on', flush=True); signal.sigwait({signal.SIGTERM}); "
    service = python(on + f"assert open({str(mark)!r}).read() == 'both'", tmp_path / "service")
    first = python(on + f"open({str(mark)!r}, 'w').write('both')", tmp_path / "first")
    awaits = f"import pathlib, time\nwhile not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.01)"
    second = python(on + awaits, tmp_path / "second")
    supervisor = Supervisor()
    supervisor.keep(service, lambda: service.stop())
    for process in (first, second):
        supervisor.keep(process)
    for process in (service, first, second):
        process.wait_ready(lambda process=process: process.tail() == "on")  # type: ignore[misc]
    supervisor.stop()
    assert [process.popen.returncode for process in (service, first, second)] == [0, 0, 0]
