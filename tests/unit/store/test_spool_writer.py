from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.errors import BadData, StoreUnavailable
from engine.store.spool import Spool, SpoolFull
from engine.store.spool_writer import TRIES, SpoolWriter

Apply = Callable[[Sequence[tuple[str, str, bytes]]], object]


def singly(apply: Callable[[str, str, bytes], object]) -> Apply:
    """A store that takes the items one after another, and of several what comes before the first that it refuses."""

    def all_of(items: Sequence[tuple[str, str, bytes]]) -> None:
        for item in items:
            apply(*item)

    return all_of


class PowerCut(BaseException):
    """The process ends here."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool", wake_event=threading.Event())
    yield made
    made.close()


@contextmanager
def running(spool: Spool, apply: Apply) -> Iterator[SpoolWriter]:
    assert spool._wake_event is not None
    writer = SpoolWriter(spool, apply, spool._wake_event)
    writer.pause_s = 0.001
    thread = threading.Thread(target=writer.run)
    thread.start()
    yield writer
    writer.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.req("R90")
def test_what_is_put_is_applied_at_once(spool: Spool) -> None:
    applied: list[tuple[str, str, bytes]] = []
    third = threading.Event()

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        applied.append((kind, item_id, payload))
        if len(applied) == 3:
            third.set()

    spool.put("call", "c0", b"0")
    with running(spool, singly(apply)):
        spool.put("call", "c1", b"1")
        spool.put("recording", "r1", b"2")
        assert third.wait(4), "an idle writer looks only every 5 s: it was not woken"
    assert applied == [("call", "c0", b"0"), ("call", "c1", b"1"), ("recording", "r1", b"2")]
    assert spool.pending() == []


@pytest.mark.req("R90", "R124")
def test_while_the_store_is_away_everything_waits_in_order(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    applied: list[str] = []
    tried: list[str] = []
    knocked, finished = threading.Event(), threading.Event()
    away = True

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        tried.append(item_id)
        if len(tried) == 5:
            knocked.set()
        if away:
            raise StoreUnavailable("no route to host")
        applied.append(item_id)
        if len(applied) == 3:
            finished.set()

    with caplog.at_level(logging.INFO), running(spool, singly(apply)) as writer:
        for number in range(3):
            spool.put("call", f"c{number}", b"")
        assert knocked.wait(10)
        assert not writer.available
        away = False
        assert finished.wait(10)
    assert set(tried[:5]) == {"c0"}
    assert applied == ["c0", "c1", "c2"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "once each, not at every try"


def test_the_pauses_grow_and_end_with_the_outage(spool: Spool) -> None:
    away = True

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        if away:
            raise StoreUnavailable("away")

    writer = SpoolWriter(spool, singly(apply), threading.Event())
    spool.put("call", "c1", b"")
    pauses: list[float] = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            return len(pauses) == 9

    writer._stopping = Stopping()
    writer.run()
    assert pauses == [0.25, 0.5, 1, 2, 4, 5, 5, 5, 5]
    away = False
    writer._stopping = threading.Event()
    assert writer.drain()
    assert writer.pause_s == 0.25


@pytest.mark.req("R90")
@pytest.mark.parametrize("error", [BadData("23502: no caller"), ValueError("no JSON")])
def test_what_can_never_be_applied_makes_room_and_is_kept(
    spool: Spool, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    applied: list[str] = []

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        if item_id == "bad":
            raise error
        applied.append(item_id)

    for item_id in ("c1", "bad", "c2"):
        spool.put("call", item_id, b"payload of " + item_id.encode())
    assert SpoolWriter(spool, singly(apply), threading.Event()).drain()
    assert list(dict.fromkeys(applied)) == ["c1", "c2"], "what came before it may be applied again"
    assert spool.pending() == []
    kept, reason = sorted(spool.rejected_directory.iterdir())
    assert kept.read_bytes().endswith(b"payload of bad")
    assert reason.read_text() == f"{error}\n"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "bad" in record.getMessage()
    assert str(kept) in record.getMessage()


def test_a_damaged_item_does_not_hold_up_the_others(spool: Spool) -> None:
    applied: list[str] = []
    damaged = spool.put("call", "c1", b"payload")
    spool.put("call", "c2", b"payload")
    spool.close()
    (spool.directory / damaged.name).write_bytes(b"")
    reopened = Spool(spool.directory)
    assert SpoolWriter(
        reopened, singly(lambda kind, item_id, payload: applied.append(item_id)), threading.Event()
    ).drain()
    reopened.close()
    assert applied == ["c2"]
    assert "checksum" in next(spool.rejected_directory.glob("*.reason")).read_text()


def test_a_failure_that_nobody_thought_of_is_tried_a_few_times(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    spool.put("call", "c1", b"")
    spool.put("call", "c2", b"")
    tried: list[str] = []

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        tried.append(item_id)
        if item_id == "c1":
            raise KeyError("surprise")

    writer = SpoolWriter(spool, singly(apply), threading.Event())
    assert [writer.drain() for _ in range(TRIES)] == [False] * (TRIES - 1) + [True]
    assert tried == ["c1"] * (1 + TRIES) + ["c2"], "once together with the other"
    assert "surprise" in next(spool.rejected_directory.glob("*.reason")).read_text()


def test_a_broken_disk_does_not_end_the_writer(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    applied = threading.Event()
    real, failures = spool.pending, iter([OSError("I/O error"), OSError("I/O error")])

    def pending(*arguments: Any) -> object:
        if (error := next(failures, None)) is not None:
            raise error
        return real(*arguments)

    monkeypatch.setattr(spool, "pending", pending)
    spool.put("call", "c1", b"")
    with running(spool, lambda *_: applied.set()):
        assert applied.wait(10)


OUTCOMES = st.sampled_from(["ok", "ok", "away", "bad", "bug", "cut before", "cut after"])


@pytest.mark.req("R83", "R90", "R124")
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.one_of(st.just("put"), st.just("put"), st.lists(OUTCOMES, max_size=4)), max_size=25))
def test_nothing_is_lost_doubled_or_overtaken(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | list[str]]
) -> None:
    """Puts, and drains in which the store and the process behave as badly as they can, in any order."""
    spool = Spool(tmp_path_factory.mktemp("spool"))
    stored: dict[str, bytes] = {}  # as an idempotent store keeps it, in the order of the first writing
    put: list[str] = []
    outcomes: Iterator[str] = iter(())

    def apply(kind: str, item_id: str, payload: bytes) -> None:
        outcome = next(outcomes, "ok")
        if outcome == "away":
            raise StoreUnavailable("away")
        if outcome == "bad":
            raise BadData("bad")
        if outcome == "bug":
            raise KeyError("bug")
        if outcome == "cut before":
            raise PowerCut
        stored.setdefault(item_id, payload)
        if outcome == "cut after":
            raise PowerCut

    writer = SpoolWriter(spool, singly(apply), threading.Event())
    for step in steps:
        if step == "put":
            put.append(f"c{len(put)}")
            spool.put("call", put[-1], put[-1].encode())
            continue
        outcomes = iter(step)
        try:
            writer.drain()
        except PowerCut:
            spool.close()
            spool = Spool(spool.directory)
            writer = SpoolWriter(spool, singly(apply), threading.Event())
    outcomes = iter(())
    assert writer.drain()
    rejected = {path.name.split(".")[2] for path in spool.rejected_directory.glob("*.item")}
    assert [item_id for item_id in put if item_id not in rejected or item_id in stored] == list(stored)
    assert set(stored) | rejected == set(put)
    assert all(payload == item_id.encode() for item_id, payload in stored.items())
    spool.requeue()
    assert writer.drain()
    assert set(stored) == set(put)
    spool.close()


def test_what_waits_together_is_applied_together_and_in_order(spool: Spool) -> None:
    together: list[list[str]] = []
    for number in range(5):
        spool.put("call", f"c{number}", b"")
    writer = SpoolWriter(spool, lambda items: together.append([item_id for _, item_id, _ in items]), threading.Event())
    assert writer.drain()
    assert together == [["c0", "c1", "c2", "c3", "c4"]]
    assert spool.pending() == []


@pytest.mark.req("R90")
def test_one_bad_item_among_many_costs_the_others_nothing(spool: Spool) -> None:
    applied: list[str] = []

    def apply(items: Sequence[tuple[str, str, bytes]]) -> None:
        found = [item_id for _, item_id, _ in items]
        if "c1" in found:
            raise BadData("23502: no caller")
        applied.extend(found)

    for number in range(3):
        spool.put("call", f"c{number}", b"")
    assert SpoolWriter(spool, apply, threading.Event()).drain()
    assert applied == ["c0", "c2"]
    assert [path.name.split(".")[2] for path in spool.rejected_directory.glob("*.item")] == ["c1"]


@pytest.mark.req("R90")
def test_together_too_an_outage_is_waited_for_and_nothing_lost(spool: Spool) -> None:
    def away(*anything: object) -> None:
        raise StoreUnavailable("away")

    for number in range(3):
        spool.put("call", f"c{number}", b"")
    writer = SpoolWriter(spool, away, threading.Event())
    assert not writer.drain()
    assert not writer.available
    assert [item.id for item in spool.pending()] == ["c0", "c1", "c2"]


@pytest.mark.req("R90")
def test_what_can_neither_be_applied_nor_put_aside_holds_up_no_other(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    applied: list[str] = []

    def apply(items: Sequence[tuple[str, str, bytes]]) -> None:
        found = [item_id for _, item_id, _ in items]
        if "bad" in found:
            raise BadData("23502: no caller")
        applied.extend(found)

    def full(*_: object) -> None:
        raise SpoolFull("no room")

    for item_id in ("c1", "bad", "c2"):
        spool.put("call", item_id, b"")
    writer = SpoolWriter(spool, apply, threading.Event())
    with monkeypatch.context() as patched:
        patched.setattr(spool, "reject", full)
        assert not writer.drain(), "one is left"
    assert applied == ["c1", "c2"]
    assert "no room" in caplog.text
    assert [item.id for item in spool.pending()] == ["bad"]
    assert writer.drain()
    assert spool.pending() == []
