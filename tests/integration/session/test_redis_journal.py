"""The journal on a real Valkey, with the local file while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import gevent
import pytest
import redis
from gevent.event import Event
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import valkey
from callwright.local.service import Service
from engine.domain.journal import FORMAT, Attached, Ended, Entry, Started, encode
from engine.session.fallback import FallbackFile
from engine.session.journal import JOIN_AT_ONCE, JournalUnavailable, RedisJournal
from tests.unit.cdr.test_record import FACTS

BACK_WITHIN_S = 10.0


def entry(n: int, engine: str = "e1") -> Entry:
    return Entry(n, 1000 + n, Attached(engine, n))


def line(call_id: str, one: Entry) -> tuple[str, ...]:
    return ("add", call_id, str(one.n), encode(one).decode())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = valkey.launch(tmp_path)
    running.await_ready()
    yield running
    running.stop()


class Rig:
    """Journals on one server, stopped at the end."""

    alive_s = 6

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.conflicts: list[str] = []
        self.gaps: list[str] = []
        self.gap_found = Event()
        self.served: list[str] = []
        self.started: list[RedisJournal] = []

    def on_gap(self, call_id: str) -> None:
        self.gaps.append(call_id)
        self.gap_found.set()

    def journal(self, engine: str = "e1") -> RedisJournal:
        retry = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=1, retry=retry)
        file = FallbackFile(self.directory / engine / "journal.ndjson")
        alarms = (self.conflicts.append, self.on_gap, lambda: self.served)
        self.started.append(RedisJournal(client, engine, file, *alarms, alive_s=self.alive_s))
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
    assert journal.wait_here(BACK_WITHIN_S)
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


@pytest.mark.req("R124")
def test_redis_that_lost_a_call_that_waits_is_found_out_without_a_new_entry(rig: Rig) -> None:
    rig.alive_s = 1
    journal = rig.journal()
    for call_id in ("there", "waits"):
        journal.append(call_id, entry(1))
    journal.flush()
    rig.served = ["there", "waits"]
    admin = redis.Redis.from_url(rig.url)
    with admin.pipeline() as at_once:
        kept = admin.dump("cw:journal:there")
        at_once.flushall()
        at_once.restore("cw:journal:there", 0, cast("bytes", kept))
        at_once.execute()
    admin.close()
    assert rig.gap_found.wait(BACK_WITHIN_S)
    assert rig.gaps == ["waits"]


def test_half_a_journal_is_not_taken_for_a_whole_one(rig: Rig, tmp_path: Path) -> None:
    FallbackFile(tmp_path / "e1" / "journal.ndjson").write([line("c1", entry(4))])
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
        assert journal.wait_here(BACK_WITHIN_S)
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
    path = tmp_path / "e1" / "journal.ndjson"
    FallbackFile(path).write([("hold", "c1"), line("c1", entry(1))])
    with path.open("ab") as file:
        file.write(b'["add", "c1", "2", "cut')
    journal = rig.journal()
    assert journal.away
    assert journal.wait_here(BACK_WITHIN_S)
    assert journal.load("c1") == [entry(1)]
    assert journal.open_calls() == {"c1": "e1"}
    assert not path.exists()


def test_what_follows_a_line_that_was_cut_off_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    path.write_bytes(b'["add", "c1", "2", "cut')
    FallbackFile(path).write([line("c2", entry(1))])
    assert [*FallbackFile(path).calls["c2"].entries] == [1]


def test_of_calls_that_are_over_only_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    file = FallbackFile(path)
    file.write([("hold", "c1"), line("c1", entry(1)), line("c2", entry(1)), ("close", "c1")])
    for each in (file, FallbackFile(path)):
        assert (each.calls["c1"].entries, each.calls["c1"].closed) == ({}, True)
        assert [*each.calls["c2"].entries] == [1]


@pytest.mark.req("R124")
def test_more_calls_than_one_round_trip_takes(rig: Rig, tmp_path: Path) -> None:
    calls = [f"c{number}" for number in range(2 * JOIN_AT_ONCE + 1)]
    file = FallbackFile(tmp_path / "e1" / "journal.ndjson")
    file.write([command for call in calls for command in (("hold", call), line(call, entry(1)))])
    journal = rig.journal()
    for call in calls:
        journal.append(call, entry(2))
    assert journal.wait_here(BACK_WITHIN_S)
    journal.flush()
    assert [len(journal.load(call)) for call in calls] == [2] * len(calls)
    assert journal.open_calls() == dict.fromkeys(calls, "e1")


@pytest.mark.req("R124")
def test_a_call_that_another_engine_took_meanwhile_stays_with_it(rig: Rig, tmp_path: Path) -> None:
    holder = rig.journal("e2")
    holder.hold("c1")
    for n in (1, 2, 3):
        holder.append("c1", entry(n))
    holder.flush()
    late = [("hold", "c1"), line("c1", entry(1)), line("c1", entry(2)), ("hold", "c2"), ("close", "c1")]
    FallbackFile(tmp_path / "e1" / "journal.ndjson").write(late[:-1])
    assert rig.journal("e1").wait_here(BACK_WITHIN_S)
    assert holder.open_calls() == {"c1": "e2"}, "the holder went on behind what came late"
    FallbackFile(tmp_path / "e3" / "journal.ndjson").write(late[-1:])
    assert rig.journal("e3").wait_here(BACK_WITHIN_S)
    assert holder.open_calls() == {"c1": "e2"}
    assert len(holder.load("c1")) == 3
    assert rig.conflicts == []


@pytest.mark.req("R124")
def test_nothing_comes_behind_the_end(rig: Rig, tmp_path: Path) -> None:
    janitor = rig.journal("e2")
    over = Entry(2, 1002, Ended("NORMAL_CLEARING", "caller"))
    for each in (entry(1), over):
        janitor.append("c1", each)
    janitor.flush()
    FallbackFile(tmp_path / "e1" / "journal.ndjson").write([("hold", "c1"), line("c1", entry(3))])
    assert rig.journal("e1").wait_here(BACK_WITHIN_S)
    assert janitor.load("c1") == [entry(1), over]
    assert rig.conflicts == ["c1"]
    assert janitor.open_calls() == {}


@pytest.mark.req("R124")
def test_a_journal_of_a_newer_format_is_left_alone(rig: Rig) -> None:
    journal = rig.journal()
    ours, newer = Entry(1, 1000, Started(FACTS)), Entry(1, 1000, Started(FACTS, format=FORMAT + 1))
    journal.append("old", ours)
    journal.append("new", newer)
    journal.flush()
    admin = redis.Redis.from_url(rig.url)
    admin.xadd("cw:journal:new", {"e": '{"n":2,"at_ms":1001,"event":{"kind":"unheard of"}}'}, id="2-0")
    admin.close()
    assert journal.load("old") == [ours]
    with pytest.raises(JournalUnavailable, match=f"has format {FORMAT + 1}, this engine reads {FORMAT} and older"):
        journal.load("new")


def test_after_an_outage_engines_have_time_to_give_a_sign_of_life(rig: Rig, tmp_path: Path) -> None:
    assert not rig.journal("e2").engine_lives("e9")
    FallbackFile(tmp_path / "e1" / "journal.ndjson").write([("close", "c1")])
    back = rig.journal("e1")
    assert back.engine_lives("e9")
    assert back.wait_here(BACK_WITHIN_S)
    assert back.engine_lives("e9")


def test_signs_of_life_end_with_the_engine(rig: Rig) -> None:
    journal, other = rig.journal("e1"), rig.journal("e2")
    journal.append("c1", entry(1))
    journal.flush()
    gevent.sleep(0)
    assert other.engine_lives("e1")
    journal.stop()
    assert not other.engine_lives("e1")
    assert other.claim("closing", "c1", 60)
    assert not other.claim("closing", "c1", 60)


@pytest.mark.parametrize(("later", "kept"), [(True, "e2"), (False, "e1")])
def test_of_two_beginnings_the_second_is_the_call(rig: Rig, tmp_path: Path, later: bool, kept: str) -> None:
    """An engine that died with its last entries on their way to a Redis that hung, and the one that began anew."""
    writer = rig.journal("e1")
    for n in (1, 2):
        writer.append("c1", entry(n, "e1"))
    writer.flush()
    ours = [replace(entry(n, "e2"), at_ms=1000 + n + (500 if later else -500)) for n in (1, 2, 3)]
    (tmp_path / "e2").mkdir()
    FallbackFile(tmp_path / "e2" / "journal.ndjson").write([("hold", "c1"), *(line("c1", one) for one in ours)])
    second = rig.journal("e2")
    assert second.wait_here(BACK_WITHIN_S)
    assert [one.event.engine for one in writer.load("c1") if isinstance(one.event, Attached)][-1] == kept
    assert rig.conflicts == ([] if later else ["c1"])
    assert writer.open_calls() == ({"c1": "e2"} if later else {})
