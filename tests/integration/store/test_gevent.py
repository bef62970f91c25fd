"""The store in a process like the engine's: monkey-patched, everything in greenlets of one thread."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

_PREAMBLE = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from sqlalchemy import text
from engine.store import gevent_wait
from engine.store.database import Database, Limits
from engine.store.errors import StoreUnavailable

def query(database, statement):
    with database.transaction() as session:
        return session.execute(text(statement)).scalar()
"""


def in_engine_like_process(url: str, body: str) -> None:
    script = _PREAMBLE + textwrap.dedent(body)
    command = [sys.executable, "-W", "error", "-c", script, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.req("R124")
def test_queries_overlap_and_the_loop_goes_on_meanwhile(url: str) -> None:
    in_engine_like_process(
        url,
        """
        database = Database(sys.argv[1])
        query(database, "SELECT 1")
        gaps, last, stop = [], time.monotonic(), False

        def tick():
            global last
            while not stop:
                gevent.sleep(0.005)
                now = time.monotonic()
                gaps.append(now - last)
                last = now

        ticking = gevent.spawn(tick)
        started = time.monotonic()
        sleepers = [gevent.spawn(query, database, "SELECT pg_sleep(1)") for _ in range(4)]
        gevent.joinall(sleepers, raise_error=True)
        took = time.monotonic() - started
        stop = True
        assert took < 2.5, f"four sleeps of 1 s took {took} s"
        assert max(gaps) < 0.8, f"the loop stood still for {max(gaps)} s"
        """,
    )


def test_a_greenlet_that_is_killed_or_timed_out_in_a_query_leaves_the_pool_usable(url: str) -> None:
    in_engine_like_process(
        url,
        """
        database = Database(sys.argv[1], limits=Limits(pool_size=1, pool_overflow=0))
        for _ in range(3):
            victim = gevent.spawn(query, database, "SELECT pg_sleep(30)")
            gevent.sleep(0.2)
            victim.kill()
            assert query(database, "SELECT 42") == 42
        try:
            with gevent.Timeout(0.2):
                query(database, "SELECT pg_sleep(30)")
        except gevent.Timeout:
            pass
        else:
            raise AssertionError("no timeout")
        assert query(database, "SELECT 43") == 43
        """,
    )


def test_limits_hold_although_libpq_does_not_know_them(url: str) -> None:
    in_engine_like_process(
        url,
        """
        import socket
        gevent_wait.CONNECT_TIMEOUT_S = gevent_wait.ANSWER_TIMEOUT_S = 0.5
        silent = socket.create_server(("127.0.0.1", 0))
        nowhere = Database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/x")
        started = time.monotonic()
        try:
            nowhere.ping()
        except StoreUnavailable as error:
            assert "within 0.5 s" in str(error), error
        else:
            raise AssertionError("connected to nothing")
        database = Database(sys.argv[1])
        try:
            query(database, "SELECT pg_sleep(20)")
        except StoreUnavailable as error:
            assert "within 0.5 s" in str(error), error
        else:
            raise AssertionError("no limit")
        assert time.monotonic() - started < 5
        assert query(database, "SELECT 42") == 42
        """,
    )


def test_the_servers_name_is_looked_up_by_gevent(url: str) -> None:
    in_engine_like_process(
        url,
        """
        import socket
        asked = []
        real = socket.getaddrinfo
        socket.getaddrinfo = lambda host, *rest, **more: asked.append(host) or real(host, *rest, **more)
        database = Database(sys.argv[1].replace("@127.0.0.1:", "@localhost:"))
        assert query(database, "SELECT 42") == 42
        assert asked == ["localhost"], asked
        unknown = Database(sys.argv[1].replace("@127.0.0.1:", "@no-such-host.invalid:"))
        try:
            unknown.ping()
        except StoreUnavailable as error:
            assert "no-such-host" in str(error)
        else:
            raise AssertionError("found")
        """,
    )


def test_migrations_run_in_such_a_process_too(empty_url: str) -> None:
    in_engine_like_process(
        empty_url,
        """
        from engine.store import migrate
        from engine.store.routing import RoutingStore
        gevent.joinall([gevent.spawn(migrate.upgrade, sys.argv[1]) for _ in range(2)], raise_error=True)
        assert RoutingStore(Database(sys.argv[1])).version() == 1
        """,
    )
