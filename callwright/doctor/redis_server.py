"""Redis or Valkey: reachable, new enough, keeps what it is given, lets us do what the engine does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import redis

from callwright.doctor.finding import Finding, Subject, fail, ok, warn, words_of

LEAST = (6, 2)
"""The oldest Redis that callwright is meant for; every Valkey is newer."""
FULL_PERCENT = 80
TRIED_FOR_S = 30
"""When the keys that are made here to try a right end by themselves, should doctor be killed."""


def examine(subject: Subject) -> Iterator[Finding]:
    """All of it, over one connection."""
    if subject.config.redis.url is None:
        if subject.configured:
            yield fail("redis.url is not set", "engine and API need it: docs/operations.md, [redis]")
        return
    client = connect(subject)
    try:
        client.ping()
        yield from server(client)
        yield from rights(client)
    except redis.AuthenticationError as error:
        advice = "redis.password (or the one in redis.url) as requirepass or the user's ACL has it there"
        yield fail(f"does not take the password of the configuration: {words_of(error)}", advice)
    except redis.RedisError as error:
        yield fail(f"does not answer: {words_of(error)}", "check redis.url, and that the server runs")
    finally:
        client.close()


def connect(subject: Subject) -> redis.Redis:
    """The configured server with a patience of a few seconds, and no second try."""
    return redis.Redis.from_url(
        subject.config.redis.dsn,
        socket_timeout=4,
        socket_connect_timeout=4,
        retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
    )


def server(client: redis.Redis) -> Iterator[Finding]:
    """Version, role, what it does when it is full and when it is restarted."""
    try:
        told: dict[str, Any] = client.info()
    except redis.ResponseError as error:
        yield warn(f"INFO is refused: {words_of(error)}", "version and settings are not known: ACL SETUSER … +info")
        return
    name = "Valkey" if "valkey_version" in told else "Redis"
    version = str(told.get("valkey_version") or told.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < LEAST:
        yield fail(f"{name} {version} is too old", f"{'.'.join(map(str, LEAST))} is the least")
    else:
        yield ok(f"{name} {version}")
    if told.get("role") != "master":
        yield fail("this server is a replica: nothing can be written", "name the primary in redis.url")
    yield from memory(told)
    if not int(told.get("aof_enabled", 0)):
        advice = "appendonly yes, appendfsync everysec: without it live calls' journals are lost when it restarts"
        yield warn("what it holds is not kept on disk as it comes (appendonly no)", advice)
    elif told.get("aof_last_write_status", "ok") != "ok":
        yield fail("its last write to disk failed", "look into its log; the disk may be full")
    else:
        yield ok("keeps what it is given on disk (appendonly)")


def memory(told: dict[str, Any]) -> Iterator[Finding]:
    """Whether it throws anything away when it is full, and how full it is."""
    policy, most = str(told.get("maxmemory_policy", "noeviction")), int(told.get("maxmemory", 0))
    if policy != "noeviction":
        advice = "maxmemory-policy noeviction: with any other it throws live calls' journals away when it is full"
        yield (fail if most else warn)(f"maxmemory-policy is {policy}", advice)
    if most and int(told.get("used_memory", 0)) * 100 > most * FULL_PERCENT:
        percent = int(told["used_memory"]) * 100 // most
        yield warn(f"{percent} % of maxmemory are in use", "raise maxmemory: once full, journals go to local files")


def rights(client: redis.Redis) -> Iterator[Finding]:
    """Each kind of command that the engine needs, tried on keys of doctor's own."""
    key = f"cw:callwright-doctor:{secrets.token_hex(6)}"
    stream = f"{key}:stream"

    def with_journal() -> None:
        client.xadd(stream, {"e": "x"}, id="1-0")
        client.expire(stream, TRIED_FOR_S)
        client.xrange(stream)

    def with_script() -> None:
        script = "return redis.call('set', KEYS[1], ARGV[1], 'EX', ARGV[2])"
        client.eval(script, 1, key, "x", str(TRIED_FOR_S))

    def with_hash() -> None:
        client.hset(f"{key}:hash", "call", "engine")
        client.expire(f"{key}:hash", TRIED_FOR_S)
        client.hgetall(f"{key}:hash")

    def with_list() -> None:
        client.rpush(f"{key}:list", "x", "y")
        client.expire(f"{key}:list", TRIED_FOR_S)
        client.lrem(f"{key}:list", 1, "x")
        client.blpop([f"{key}:list"], timeout=1)

    tries: dict[str, tuple[Callable[[], Any], str]] = {
        "streams (XADD, XRANGE)": (with_journal, "calls have no journal and cannot be taken up by another engine"),
        "scripts (EVAL)": (with_script, "journals are not written"),
        "hashes (HSET, HGETALL)": (with_hash, "calls of an engine that died are not closed"),
        "lists (RPUSH, LREM, BLPOP)": (with_list, "texts are not spoken"),
        "SET NX EX, EXISTS": (
            lambda: (client.set(f"{key}:nx", "x", nx=True, ex=TRIED_FOR_S), client.exists(f"{key}:nx")),
            "engines do not see that another one died",
        ),
        "PUBLISH": (lambda: client.publish(key, "x"), "changes over the API reach the engines late"),
        "DEL": (lambda: client.delete(key, stream, f"{key}:hash", f"{key}:nx"), "ended calls are kept for ever"),
    }
    refused = []
    for name, (attempt, broken) in tries.items():
        try:
            attempt()
        except redis.ResponseError as error:
            refused.append(name)
            advice = f"without it {broken}. ACL SETUSER … ~cw:* &cw:* +@read +@write +@scripting +@pubsub +@stream"
            yield fail(f"{name} refused: {words_of(error)}", advice)
    if not refused:
        yield ok("streams, scripts, hashes, lists, announcements: all allowed")
