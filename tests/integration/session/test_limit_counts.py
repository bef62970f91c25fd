"""Who has taken which channel, on a real Valkey."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callwright.local import valkey
from engine.session.limit_counts import AT_ONCE, RedisCounts
from engine.session.limits import CountsAway, Taken

pytestmark = pytest.mark.req("R12")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0))
    yield made
    made.close()


@pytest.fixture
def line() -> str:
    return f"number:{uuid.uuid4()}"


def by(line: str, name: str) -> Taken:
    return Taken(line, name, f"call-of-{name}")


def test_of_many_who_come_at_once_as_many_get_in_as_there_are_channels(client: redis.Redis, line: str) -> None:
    engines = [RedisCounts(client) for _ in range(2)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: engines[n % 2].take([(by(line, f"c{n}"), 7)]), range(50)))
    assert answers.count(None) == 7
    assert answers.count(line) == 43
    assert client.hlen(f"cw:limit:{line}") == 7


def test_who_has_one_asks_again_and_takes_no_second_one(client: redis.Redis, line: str) -> None:
    counts = RedisCounts(client)
    assert [counts.take([(by(line, "a"), 1)]) for _ in range(2)] == [None, None]
    assert counts.take([(by(line, "b"), 1)]) == line
    counts.give_back([by(line, "a"), by(line, "never taken")])
    assert counts.take([(by(line, "b"), 1)]) is None


def test_what_comes_before_a_full_line_is_taken_and_nothing_else(client: redis.Redis, line: str) -> None:
    counts, lines = RedisCounts(client), [f"{line}-{n}" for n in range(3)]
    counts.keep([by(lines[1], "other")])
    assert counts.take([(by(each, "a"), 1) for each in lines]) == lines[1]
    assert [client.hkeys(f"cw:limit:{each}") for each in lines] == [[b"a"], [b"other"], []]


def test_a_lower_limit_puts_nobody_out(client: redis.Redis, line: str) -> None:
    counts = RedisCounts(client)
    counts.keep([by(line, name) for name in "abc"])
    assert counts.take([(by(line, "d"), 2)]) == line
    assert client.hlen(f"cw:limit:{line}") == 3


def test_what_a_killed_engine_left_is_forgotten_once_its_call_is_closed(client: redis.Redis, line: str) -> None:
    counts = RedisCounts(client, forget_ms=0)
    counts.keep([by(line, "left")])
    client.hset("cw:open", "call-of-left", "engine-that-died")
    try:
        assert counts.take([(by(line, "a"), 1)]) == line
    finally:
        client.hdel("cw:open", "call-of-left")
    assert counts.take([(by(line, "a"), 1)]) is None
    assert client.hkeys(f"cw:limit:{line}") == [b"a"]


def test_a_call_of_which_the_journal_does_not_know_yet_counts(client: redis.Redis, line: str) -> None:
    counts = RedisCounts(client)
    counts.keep([by(line, "just-come")])
    assert counts.take([(by(line, "a"), 1)]) == line


def test_nothing_is_kept_for_ever(client: redis.Redis, line: str) -> None:
    RedisCounts(client).take([(by(line, "a"), 1)])
    assert 3600 < client.ttl(f"cw:limit:{line}") <= 24 * 3600


def test_very_many_are_said_again_in_several_steps(client: redis.Redis, line: str) -> None:
    counts, many = RedisCounts(client), [by(line, f"c{n}") for n in range(2 * AT_ONCE + 1)]
    counts.keep(many)
    assert client.hlen(f"cw:limit:{line}") == len(many)
    counts.give_back(many)
    assert not client.exists(f"cw:limit:{line}")


def test_a_server_that_knows_no_script_any_more_is_told_it_again(client: redis.Redis, line: str) -> None:
    counts = RedisCounts(client)
    counts.take([(by(line, "a"), 1)])
    client.script_flush()
    assert counts.take([(by(line, "b"), 1)]) == line
    client.script_flush()
    counts.give_back([by(line, "a")])
    assert counts.take([(by(line, "b"), 1)]) is None


def test_without_a_server_nobody_can_tell_and_one_that_is_empty_is_filled_again(tmp_path: Path, line: str) -> None:
    service = valkey.launch(tmp_path)
    service.await_ready()
    retry = Retry(NoBackoff(), 0)
    counts = RedisCounts(redis.Redis.from_url(service.url, socket_timeout=2, retry=retry))
    try:
        counts.take([(by(line, "a"), 1)])
        redis.Redis.from_url(service.url).flushall()
        counts.keep([by(line, "a")])
        assert counts.take([(by(line, "b"), 1)]) == line
    finally:
        service.stop()
    for ask in (lambda: counts.take([(by(line, "b"), 1)]), lambda: counts.give_back([by(line, "a")])):
        with pytest.raises(CountsAway, match="redis: "):
            ask()  # type: ignore[no-untyped-call]
