from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store.spool import Spool, SpoolBusy, SpoolDamaged, SpoolError, SpoolFull

T = TypeVar("T")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


def again(spool: Spool) -> Spool:
    """The spool as the next process opens it."""
    spool.close()
    return Spool(spool.directory)


def names(spool: Spool) -> list[tuple[str, str]]:
    return [(item.kind, item.id) for item in spool.pending()]


@pytest.mark.req("R83", "R90")
def test_items_wait_in_the_order_in_which_they_came(spool: Spool) -> None:
    for number in range(12):
        spool.put("call", f"c{number}", str(number).encode())
    spool.done(spool.pending()[:1])
    assert names(spool) == [("call", f"c{number}") for number in range(1, 12)]
    assert [spool.read(item) for item in spool.pending()] == [str(number).encode() for number in range(1, 12)]


@pytest.mark.req("R83", "R90")
def test_the_next_process_finds_what_waits_and_puts_after_it(spool: Spool) -> None:
    spool.put("call", "c1", b"1")
    last = spool.put("call", "c2", b"2")
    spool.reject(last, "why")
    reopened = again(spool)
    reopened.put("call", "c3", b"3")
    assert names(reopened) == [("call", "c1"), ("call", "c3")]
    assert reopened.pending()[-1].number > last.number
    reopened.close()


@given(
    kind=st.text(max_size=4),
    item_id=st.text(st.characters(codec="utf-8"), max_size=10),
    payload=st.binary(max_size=100),
)
def test_any_kind_id_and_payload_come_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, item_id: str, payload: bytes
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    spool.put(kind, item_id, payload)
    (item,) = spool.pending()
    assert (item.kind, item.id, spool.read(item)) == (kind, item_id, payload)
    spool.close()


def test_an_id_that_makes_no_file_name_is_refused(spool: Spool) -> None:
    with pytest.raises(SpoolError, match="too long"):
        spool.put("call", "x" * 300, b"")
    assert names(spool) == []


def test_a_second_process_is_kept_out(spool: Spool) -> None:
    with pytest.raises(SpoolBusy):
        Spool(spool.directory)
    again(spool).close()


def test_half_written_files_of_a_killed_process_are_removed(spool: Spool) -> None:
    (spool.directory / ".0000000000000007.1234.tmp").write_bytes(b"half")
    (spool.directory / ".0000000000000008.items.tmp").write_bytes(b"half")
    (spool.directory / "notes.txt").write_text("not ours")
    reopened = again(spool)
    assert sorted(path.name for path in spool.directory.iterdir()) == [".lock", "notes.txt", "rejected"]
    assert names(reopened) == []
    reopened.close()


def fails(number: int, *, after: int = 0) -> Callable[..., Any]:
    """A system call that fails from its call number `after` on."""
    calls = iter(range(10_000))

    def call(real: Callable[..., Any], *arguments: Any) -> Any:
        if next(calls) >= after:
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    return call


@pytest.mark.req("R83", "R90")
@pytest.mark.parametrize(
    ("system_call", "after"), [("open", 0), ("write", 0), ("write", 1), ("fsync", 0), ("rename", 0)]
)
@pytest.mark.parametrize(("number", "expected"), [(errno.ENOSPC, SpoolFull), (errno.EIO, SpoolError)])
def test_a_put_that_fails_leaves_nothing_and_can_be_made_again(
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    system_call: str,
    after: int,
    number: int,
    expected: type[SpoolError],
) -> None:
    real_write, real_call, broken = os.write, getattr(os, system_call), fails(number, after=after)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, content: real_write(descriptor, content[:10]))
        inner = os.write if system_call == "write" else real_call
        patched.setattr(os, system_call, lambda *arguments: broken(inner, *arguments))
        with pytest.raises(expected):
            spool.put("call", "c1", b"payload")
    assert sorted(path.name for path in spool.directory.iterdir()) == [".lock", "rejected"]
    spool.put("call", "c1", b"payload")
    assert [spool.read(item) for item in spool.pending()] == [b"payload"]


@pytest.mark.parametrize("damage", [b"", b"callwright-spool 1 00\npayload", b"\0" * 100])
def test_a_damaged_item_is_noticed(spool: Spool, damage: bytes) -> None:
    item = spool.put("call", "c1", b"payload")
    (spool.directory / item.name).write_bytes(damage)
    reopened = again(spool)
    (found,) = reopened.pending()
    with pytest.raises(SpoolDamaged):
        reopened.read(found)
    assert reopened.reject(found, "damaged").read_bytes() == damage, "as it is, for a person to look at"
    assert reopened.pending() == []
    reopened.close()


def test_what_was_rejected_can_be_put_back_in_line(spool: Spool) -> None:
    first, second = spool.put("call", "c1", b"1"), spool.put("call", "c2", b"2")
    where = spool.reject(first, "no such flow")
    assert where.read_bytes().endswith(b"1")
    assert where.with_name(where.name + ".reason").read_text() == "no such flow\n"
    assert spool.pending() == [second]
    assert spool.requeue() == 1
    assert names(spool) == [("call", "c1"), ("call", "c2")]
    assert [spool.read(item) for item in spool.pending()] == [b"1", b"2"]
    assert list(spool.rejected_directory.iterdir()) == []


def test_an_item_is_put_aside_even_when_there_is_no_room_for_the_reason(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = spool.put("call", "c1", b"1")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_text", full)
    assert spool.reject(item, "why").exists()
    assert spool.pending() == []


def test_puts_of_several_threads_are_all_kept(spool: Spool) -> None:
    def put(who: int) -> None:
        for number in range(20):
            spool.put("call", f"{who}-{number}", b"x")

    threads = [threading.Thread(target=put, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting = [item.id for item in spool.pending()]
    assert len(waiting) == 80
    for who in range(4):
        own = [item_id for item_id in waiting if item_id.startswith(f"{who}-")]
        assert own == [f"{who}-{number}" for number in range(20)]


@pytest.mark.req("R83", "R90", "R124")
def test_what_put_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from engine.store.spool import Spool
        spool = Spool(sys.argv[1])
        for number in range(100_000):
            spool.put("call", f"c{number}", b"x" * 5000)
            print(number, flush=True)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 50:
                process.send_signal(signal.SIGKILL)
                break
        acknowledged = max([50, *(int(line) for line in process.stdout if line.endswith("\n"))])
    spool = Spool(tmp_path)
    waiting = spool.pending()
    assert [item.id for item in waiting][: acknowledged + 1] == [f"c{number}" for number in range(acknowledged + 1)]
    assert {spool.read(item) for item in waiting} == {b"x" * 5000}
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
    spool.close()


def test_the_disks_work_can_be_done_elsewhere(tmp_path: Path) -> None:
    elsewhere: list[int] = []

    def offload(work: Callable[[], T]) -> T:
        with ThreadPoolExecutor(1) as pool:
            elsewhere.append(1)
            return pool.submit(work).result()

    woken = threading.Event()
    spool = Spool(tmp_path, offload=offload, wake_event=woken)
    first, second = spool.put("call", "c1", b"1"), spool.put("call", "c2", b"2")
    assert woken.is_set()
    assert names(spool) == [("call", "c1"), ("call", "c2")]
    assert spool.read(first) == b"1"
    spool.done([first])
    assert spool.reject(second, "why").parent == spool.rejected_directory
    assert len(elsewhere) == 4, "two writes, one removal, one putting aside; what was put needs not be read"
    spool.close()


@pytest.mark.req("R83", "R90")
def test_items_of_the_version_before_are_read(spool: Spool) -> None:
    name = "0000000000000003.call.a%2Eb.item"
    payload = b"line\nline"
    header = b"callwright-spool 1 " + hashlib.sha256(payload).hexdigest().encode()
    (spool.directory / name).write_bytes(header + b"\n" + payload)
    (spool.directory / name.replace("3", "4")).write_bytes(header + b"\n" + payload + b"?")
    reopened = again(spool)
    sound, damaged = reopened.pending()
    assert (sound.number, sound.kind, sound.id, reopened.read(sound)) == (3, "call", "a.b", payload)
    with pytest.raises(SpoolDamaged):
        reopened.read(damaged)
    reopened.done([sound, damaged])
    assert reopened.put("call", "c1", b"").number == 5
    assert [path.name for path in spool.directory.glob("*.item*")] == ["0000000000000005.items"]
    reopened.close()


def test_what_does_not_fit_in_memory_is_read_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.spool.KEPT_BYTES", 1000)
    spool = Spool(tmp_path)
    for number in range(30):
        spool.put("call", f"c{number}", b"%100d" % number)
    assert spool._kept_bytes <= 1000
    assert [spool.read(item) for item in spool.pending()] == [b"%100d" % number for number in range(30)]
    spool.done(spool.pending())
    assert spool._kept_bytes == 0
    spool.close()


def test_a_file_that_cannot_be_read_holds_up_no_other(spool: Spool) -> None:
    spool.put("call", "c1", b"1")
    first = spool.pending()[0]
    spool.put("call", "c2", b"2")
    spool.close()
    (spool.directory / first.name).unlink()
    (spool.directory / first.name).mkdir()
    reopened = Spool(spool.directory)
    unreadable, other = reopened.pending()
    with pytest.raises(SpoolError, match="directory"):
        reopened.read(unreadable)
    assert reopened.read(other) == b"2"
    reopened.reject(unreadable, "unreadable")
    assert names(reopened) == [("call", "c2")]
    reopened.close()


def test_after_close_nothing_is_taken(spool: Spool) -> None:
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        spool.put("call", "c1", b"1")
