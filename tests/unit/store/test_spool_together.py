"""Puts that come at about the same time: one file, one write."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from engine.store.spool import Spool, SpoolDamaged, SpoolError, SpoolFull
from tests.unit.store.test_spool import again, names

T = TypeVar("T")


class Together:
    """Puts by threads that all wait for the first of them; how often the disk was asked for anything is counted."""

    def __init__(self, directory: Path, payloads: Sequence[bytes], **settings: Any) -> None:
        self.jobs = 0
        self.spool = Spool(directory, offload=self._offload, gather_s=60, **settings)
        self.errors: list[SpoolError] = []
        threads = [threading.Thread(target=self._put, args=put) for put in enumerate(payloads)]
        for thread in threads:
            thread.start()
        while sum(len(batch.entries) for batch in (self.spool._batch,) if batch is not None) < len(payloads):
            assert any(thread.is_alive() for thread in threads)
        self.spool.flush()
        for thread in threads:
            thread.join()

    def _offload(self, work: Callable[[], T]) -> T:
        self.jobs += 1
        return work()

    def _put(self, number: int, payload: bytes) -> None:
        try:
            self.spool.put("call", f"c{number}", payload)
        except SpoolError as error:
            self.errors.append(error)


@pytest.mark.req("R83", "R90")
def test_puts_that_come_together_share_one_job_and_one_file(tmp_path: Path) -> None:
    together = Together(tmp_path, [b"%d" % number for number in range(5)])
    assert together.jobs == 1
    spool = again(together.spool)
    waiting = spool.pending()
    assert sorted((item.id, spool.read(item)) for item in waiting) == [(f"c{n}", b"%d" % n) for n in range(5)]
    assert {item.name for item in waiting} == {path.name for path in tmp_path.glob("*.items")}
    spool.done(waiting[:4])
    assert spool.pending() == waiting[4:]
    assert len(list(tmp_path.glob("*.items"))) == 1, "one of it waits"
    spool.done(waiting[4:])
    assert list(tmp_path.glob("*.items")) == []
    assert spool.put("call", "c5", b"").number > waiting[-1].number
    spool.close()


@pytest.mark.req("R83", "R90")
def test_all_who_put_together_are_told_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        together = Together(tmp_path, [b"1", b"2", b"3"])
    assert [type(error) for error in together.errors] == [SpoolFull] * 3
    assert together.spool.pending() == []
    together.spool.put("call", "c4", b"4", urgent=True)
    assert names(together.spool) == [("call", "c4")]
    together.spool.close()


def test_who_is_in_a_hurry_lets_nobody_gather(tmp_path: Path) -> None:
    spool = Spool(tmp_path, gather_s=60)
    began = time.monotonic()
    spool.put("recording", "r1", b"1", urgent=True)
    assert time.monotonic() - began < 30
    putting = threading.Thread(target=spool.put, args=("call", "c1", b"1"))
    putting.start()
    while spool._batch is None:
        assert putting.is_alive()
    spool.put("recording", "r2", b"2", urgent=True)
    putting.join(30)
    assert not putting.is_alive()
    assert names(spool) == [("recording", "r1"), ("call", "c1"), ("recording", "r2")]
    spool.close()


@pytest.mark.req("R83")
def test_of_items_that_lie_together_only_the_damaged_one_is_put_aside(tmp_path: Path) -> None:
    together = Together(tmp_path, [b"payload %d" % number for number in range(3)])
    (path,) = tmp_path.glob("*.items")
    path.write_bytes(path.read_bytes().replace(b"payload 1", b"pay\0oad 1"))
    spool = again(together.spool)
    damaged = next(item for item in spool.pending() if item.id == "c1")
    with pytest.raises(SpoolDamaged):
        spool.read(damaged)
    assert spool.reject(damaged, "damaged").read_bytes().endswith(b"\npay\0oad 1")
    assert sorted(spool.read(item) for item in spool.pending()) == [b"payload 0", b"payload 2"]
    spool.done(spool.pending())
    assert spool.requeue() == 1
    (back,) = spool.pending()
    assert (back.kind, back.id) == ("call", "c1")
    with pytest.raises(SpoolDamaged):
        spool.read(back)
    spool.close()


def test_one_of_several_that_was_rejected_can_be_put_back_in_line(tmp_path: Path) -> None:
    together = Together(tmp_path, [b"0", b"1", b"2"])
    spool = together.spool
    first, second, third = spool.pending()
    spool.reject(second, "why")
    spool.done([first])
    spool.requeue()
    reopened = again(spool)
    assert reopened.put("call", "c9", b"9").number > third.number
    waiting = reopened.pending()
    assert second.id in {item.id for item in waiting}
    reopened.done(waiting)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "rejected"]
    reopened.close()
