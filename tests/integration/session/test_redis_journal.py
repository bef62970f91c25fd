"""The journal on a real Valkey, with the local file while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import redis

from callwright.local import valkey
from callwright.local.service import Service
from engine.domain.journal import Attached, Entry
from engine.session.journal import FallbackFile, JournalUnavailable, RedisJournal


def entry(n: int, engine: str = "e1") -> Entry:
    return Entry(n, 1000 + n, Attached(engine, n))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = valkey.launch(tmp_path)
    running.await_ready()
    yield running
    running.stop()


class Rig:
    """Journals on one server, stopped at the end."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.conflicts: list[str] = []
        self.gaps: list[str] = []
        self.started: list[RedisJournal] = []

    def journal(self, engine: str = "e1") -> RedisJournal:
        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=1)
        file = FallbackFile(self.directory / engine / "journal.ndjson")
        self.started.append(RedisJournal(client, engine, file, self.conflicts.append, self.gaps.append))
        return self.started[-1]


@pytest.fixture
def rig(service: Service, tmp_path: Path) -> Iterator[Rig]:
    built = Rig(service.url, tmp_path)
    yield built
    for each in built.started:
        gevent.killall(each._greenlets)
        each._redis.close()


@pytest.mark.req("R124")
def test_what_one_engine_wrote_another_reads(rig: Rig) -> None:
    first, second = rig.journal("e1"), rig.journal("e2")
    first.hold("c1")
    for n in (1, 2, 3):
        first.append("c1", entry(n))
    first.flush()
    assert second.load("c1") == [entry(1), entry(2), entry(3)]
    assert second.load("unknown") == []
    assert second.open_calls() == {"c1": "e1"}
    first.close("c1")
    first.flush()
    assert second.open_calls() == {}


def test_an_entry_written_twice_is_one_entry(rig: Rig) -> None:
    journal = rig.journal()
    journal.append("c1", entry(1))
    journal.flush()
    journal.append("c1", entry(1))
    journal.append("c1", entry(2))
    journal.flush()
    assert journal.load("c1") == [entry(1), entry(2)]
    assert rig.conflicts == []


@pytest.mark.req("R124")
def test_two_engines_on_one_call_find_out(rig: Rig) -> None:
    first, second = rig.journal("e1"), rig.journal("e2")
    first.append("c1", entry(1))
    first.append("c1", entry(2, "e1"))
    first.flush()
    second.append("c1", entry(2, "e2"))
    second.append("c2", entry(1))
    second.flush()
    assert rig.conflicts == ["c1"]
    assert first.load("c1") == [entry(1), entry(2, "e1")]
    assert first.load("c2") == [entry(1)], "other calls of the batch are not touched"


@pytest.mark.req("R124")
def test_a_late_batch_of_the_engine_that_lost_the_call_is_not_mixed_in(rig: Rig) -> None:
    late, holder = rig.journal("e1"), rig.journal("e2")
    late.append("c1", entry(1))
    late.flush()
    holder.hold("c1")
    holder.append("c1", entry(2, "e2"))
    holder.flush()
    for n in (2, 3, 4):
        late.append("c1", entry(n, "e1"))
    late.flush()
    late.append("c1", entry(3, "e1"))
    late.flush()
    holder.append("c1", entry(3, "e2"))
    holder.flush()
    assert holder.load("c1") == [entry(1), entry(2, "e2"), entry(3, "e2")]
    assert rig.conflicts == ["c1"], "told once"


@pytest.mark.req("R124")
def test_redis_that_refuses_to_write_is_away(rig: Rig) -> None:
    journal = rig.journal()
    journal.append("c1", entry(1))
    journal.flush()
    admin = redis.Redis.from_url(rig.url)
    admin.config_set("maxmemory", "1")
    journal.append("c1", entry(2))
    journal.flush()
    assert journal.away
    assert rig.conflicts == []
    assert journal.load("c1") == [entry(1), entry(2)]
    admin.config_set("maxmemory", "0")
    journal.append("c1", entry(3))
    journal.flush()
    assert not journal.away
    assert journal.load("c1") == [entry(1), entry(2), entry(3)]
    admin.close()


@pytest.mark.req("R124")
def test_redis_that_lost_everything_gets_it_again(rig: Rig) -> None:
    journal = rig.journal()
    for n in (1, 2):
        journal.append("c1", entry(n))
    journal.flush()
    admin = redis.Redis.from_url(rig.url)
    admin.flushall()
    admin.close()
    journal.append("c1", entry(3))
    journal.flush()
    assert rig.gaps == ["c1"]
    assert journal.load("c1") == []


def test_half_a_journal_is_not_taken_for_a_whole_one(rig: Rig, tmp_path: Path) -> None:
    file = FallbackFile(tmp_path / "e1" / "journal.ndjson")
    file.write([b'["add", "c1", "4", "' + _quoted(entry(4)) + b'"]'])
    journal = rig.journal()
    assert journal.away
    with pytest.raises(JournalUnavailable, match="only entries"):
        journal.load("c1")


@pytest.mark.req("R124")
def test_redis_away_then_back(service: Service, rig: Rig, tmp_path: Path) -> None:
    journal = rig.journal()
    journal.hold("c1")
    journal.append("c1", entry(1))
    journal.flush()
    service.stop()
    journal.append("c1", entry(2))
    journal.append("c2", entry(1))
    journal.flush()
    assert journal.away
    assert [each.n for each in journal.load("c2")] == [1]

    again = valkey.launch(tmp_path, port=int(service.url.rpartition(":")[2].partition("/")[0]))
    try:
        again.await_ready()
        journal.append("c1", entry(3))
        journal.flush()
        assert not journal.away
        assert journal.load("c1") == [entry(1), entry(2), entry(3)]
        assert journal.load("c2") == [entry(1)]
        assert not (tmp_path / "e1" / "journal.ndjson").exists()
        journal.stop()
    finally:
        again.stop()


@pytest.mark.req("R124")
def test_an_engine_that_died_while_redis_was_away_leaves_its_file_to_the_next(
    service: Service, rig: Rig, tmp_path: Path
) -> None:
    file = FallbackFile(tmp_path / "e1" / "journal.ndjson")
    file.write([b'["hold", "c1"]', b'["add", "c1", "1", "' + _quoted(entry(1)) + b'"]', b'["add", "c1", "2", "cut'])
    journal = rig.journal()
    journal.append("c2", entry(1))
    journal.flush()
    assert journal.load("c1") == [entry(1)]
    assert journal.open_calls() == {"c1": "e1"}


def _quoted(one: Entry) -> bytes:
    from engine.domain.journal import encode

    return encode(one).replace(b'"', b'\\"')


def test_signs_of_life_end_with_the_engine(rig: Rig) -> None:
    journal, other = rig.journal("e1"), rig.journal("e2")
    journal.append("c1", entry(1))
    journal.flush()
    gevent.sleep(0)
    assert other.engine_lives("e1")
    journal.stop()
    assert not other.engine_lives("e1")
    assert other.may_close("c1")
    assert not other.may_close("c1")
