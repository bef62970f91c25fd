"""A call that waits for its text, in a process like the engine's: the other calls go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from engine.domain.speech import CALLS, Wanted, waiting

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import gevent, redis
from gevent.threadpool import ThreadPool
from engine.clock import RandomIds
from engine.session.speech import RedisSpeaker, Unspoken

turns = 0

def another_call():
    global turns
    while True:
        gevent.sleep(0.01)
        turns += 1

gevent.spawn(another_call)
client = redis.Redis.from_url(sys.argv[1], socket_timeout=5)
speaker = RedisSpeaker(client, Path(sys.argv[2]), RandomIds(), 1.0, ThreadPool(2).apply)
try:
    speaker.file("Ahoj", "cs")
except Unspoken as fault:
    print(turns, fault)
"""


GIVEN_UP = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import gevent, redis
from engine.clock import RandomIds
from engine.domain.speech import CALLS
from engine.session.media import directly
from engine.session.speech import RedisSpeaker

client = redis.Redis.from_url(sys.argv[1], socket_timeout=60)
speaker = RedisSpeaker(client, Path(sys.argv[2]), RandomIds(), 60.0, directly)
call = gevent.spawn(speaker.file, "Ahoj", "cs")
with gevent.Timeout(20):
    while not client.lrange(CALLS, 0, -1):
        gevent.sleep(0.01)
    print(client.lrange(CALLS, 0, -1)[0].decode())
    call.kill()
"""


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        made.delete(CALLS)
        yield made
        made.delete(CALLS)


@pytest.mark.req("R22")
def test_a_caller_who_hangs_up_takes_the_order_back(client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", GIVEN_UP, redis_url, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    order = Wanted.load(done.stdout.encode())
    assert order.text == "Ahoj"
    assert client.lrange(CALLS, 0, -1) == []
    assert not client.exists(waiting(order.reply))


@pytest.mark.req("R22")
def test_other_calls_go_on_while_one_waits(redis_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, redis_url, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    turns, _, fault = done.stdout.partition(" ")
    assert fault == "not spoken within 1 s; does `callwright speech` run?\n"
    assert int(turns) > 20
