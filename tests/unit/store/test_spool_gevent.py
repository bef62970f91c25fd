"""The spool in a process like the engine's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
from gevent import monkey
monkey.patch_all()
import os, sys, time
import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool
from engine.store.errors import StoreUnavailable
from engine.store.spool import Spool
from engine.store.spool_writer import SpoolWriter

real_write = os.write
blocking_sleep = monkey.get_original("time", "sleep")

def slow_write(descriptor, content):
    blocking_sleep(0.5)
    return real_write(descriptor, content)

os.write = slow_write
pool, wake, applied, away, finished = ThreadPool(4), Event(), [], True, Event()

def apply(items):
    if away:
        raise StoreUnavailable("away")
    applied.extend(items)
    if len(applied) == 8:
        finished.set()

spool = Spool(sys.argv[1], wake_event=wake, offload=pool.apply, gather_s=0.05)
writer = SpoolWriter(spool, apply, wake)
writer.pause_s = 0.01
running = gevent.spawn(writer.run)
gaps, last = [], time.monotonic()

def tick():
    global last
    while True:
        gevent.sleep(0.005)
        now = time.monotonic()
        gaps.append(now - last)
        last = now

ticking = gevent.spawn(tick)
puts = [gevent.spawn(spool.put, "call", f"c{n}", b"x") for n in range(8)]
gevent.joinall(puts, raise_error=True)
assert len(spool.pending()) == 8
assert len({item.name for item in spool.pending()}) == 1, "one write for all of them"
away = False
assert finished.wait(10)
ticking.kill()
assert max(gaps) < 0.4, f"the loop stood still for {max(gaps)} s"
writer.stop()
running.join(5)
assert running.dead and spool.pending() == []
"""


@pytest.mark.req("R124")
def test_a_slow_disk_holds_up_no_other_call(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
