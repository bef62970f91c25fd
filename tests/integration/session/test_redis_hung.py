"""A Redis that takes connections and says nothing, and a disk that is slow, in a process like the engine's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from callwright.local import start, valkey

_SCRIPT = """
from gevent import monkey
monkey.patch_all()
import os, signal, sys, time
from pathlib import Path
import gevent, redis
from gevent.threadpool import ThreadPool
from redis.backoff import NoBackoff
from redis.retry import Retry
from engine.domain.journal import Attached, Entry
from engine.session.fallback import FallbackFile
from engine.session.journal import RedisJournal

url, pid, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
SILENT_S, SLOW_S = 1.0, 0.3
asked = []

class Client(redis.Redis):
    def execute_command(self, *words, **options):
        asked.append(words[0])
        return super().execute_command(*words, **options)

def entry(n):
    return Entry(n, n, Attached("e1", n))

client = Client.from_url(url, socket_timeout=SILENT_S, retry=Retry(NoBackoff(), 0))
pool = ThreadPool(2)
journal = RedisJournal(client, "e1", FallbackFile(path, pool.apply), lambda call: None, lambda call: None, list)
journal.append("c1", entry(1))
journal.flush()
assert not journal.away

gaps, last = [], time.monotonic()

def tick():
    global last
    while True:
        gevent.sleep(0.005)
        gaps.append(time.monotonic() - last)
        last = time.monotonic()

gevent.spawn(tick)
os.kill(pid, signal.SIGSTOP)
try:
    journal.append("c1", entry(2))
    journal.flush()
    assert journal.away
    asked.clear()
    began = time.monotonic()
    for n in range(3, 33):
        journal.append("c1", entry(n))
        journal.flush()
    assert time.monotonic() - began < 30 * SILENT_S, "nobody waits for it"
    assert set(asked) <= {"SET"} and len(asked) < 5, asked  # one greenlet asks after it

    real_fsync, real_sleep = os.fsync, monkey.get_original("time", "sleep")
    os.fsync = lambda descriptor: (real_sleep(SLOW_S), real_fsync(descriptor))
    gaps.clear()
    journal.append("c1", entry(33))
    journal.flush()
    assert max(gaps) < SLOW_S, max(gaps)
    os.fsync = real_fsync
finally:
    os.kill(pid, signal.SIGCONT)
assert journal.wait_here(10)
assert [each.n for each in journal.load("c1")] == list(range(1, 34))
assert not path.exists()
"""


@pytest.mark.req("R124")
def test_a_hung_redis_and_a_slow_disk_hold_up_no_call(tmp_path: Path) -> None:
    service = start(valkey, tmp_path, durable=False)
    try:
        file = tmp_path / "journal.ndjson"
        command = [sys.executable, "-W", "error", "-c", _SCRIPT, service.url, str(service.process.pid), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        service.stop()
    assert done.returncode == 0, done.stderr
