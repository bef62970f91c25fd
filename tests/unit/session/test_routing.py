"""The engine's copy of the routing data: looked up by many at once, and while its source is away or hangs."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from engine.domain.routing import RoutingSnapshot
from engine.session import routing
from engine.session.routing import Flows, Routing, RoutingUnavailable

CALLS = 200


class Source:
    """PostgreSQL as the engine sees it; `gate` holds up its answers."""

    def __init__(self) -> None:
        self.newest = 1
        self.asked = 0
        self.away = False
        self.gate = Event()
        self.gate.set()

    def version(self) -> int:
        self.asked += 1
        self.gate.wait()
        if self.away:
            raise RoutingUnavailable("no route to host")
        return self.newest

    def snapshot(self) -> RoutingSnapshot:
        return RoutingSnapshot(self.version())

    def definition(self, flow: str, version: str) -> None:
        return None


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def data(source: Source, tmp_path: Path) -> Routing:
    made = Routing(source, Flows(source, tmp_path / "flows"), tmp_path / "routing.json")
    made.load()
    source.asked = 0
    return made


def all_at_once(data: Routing) -> None:
    gevent.joinall([gevent.spawn(data.refresh) for _ in range(CALLS)], timeout=5, raise_error=True)


@pytest.mark.req("R124")
def test_calls_to_unknown_numbers_share_one_look_up(source: Source, data: Routing) -> None:
    all_at_once(data)
    assert source.asked == 1


def test_who_asks_during_a_look_up_gets_a_newer_one(source: Source, data: Routing) -> None:
    source.gate.clear()
    first = gevent.spawn(data.refresh)
    gevent.sleep(0.01)
    assert source.asked == 1
    source.newest = 2  # too late for the look-up that is under way, had it read the old version already
    second = gevent.spawn(data.refresh)
    gevent.sleep(0.01)
    source.gate.set()
    gevent.joinall([first, second], timeout=5)
    assert source.asked > 2, "the first look-up, its snapshot, and one that began after the second had asked"
    assert data.current().version == 2


@pytest.mark.req("R124")
def test_a_source_that_is_away_is_not_asked_by_every_call(
    source: Source, data: Routing, caplog: pytest.LogCaptureFixture
) -> None:
    source.away = True
    for _ in range(3):
        all_at_once(data)
    assert source.asked == 1
    assert caplog.text.count("not refreshed") == 1
    assert data.current().version == 1


@pytest.mark.req("R124")
def test_a_source_that_hangs_holds_up_a_call_once(
    source: Source, data: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "REFRESH_WAIT_S", 0.05)
    source.gate.clear()
    all_at_once(data)
    with gevent.Timeout(routing.REFRESH_WAIT_S / 2):
        for _ in range(CALLS):
            data.refresh()
    assert source.asked == 1
    source.gate.set()


@pytest.mark.req("R124")
def test_an_engine_that_starts_without_its_source_knows_what_it_knew(
    source: Source, data: Routing, tmp_path: Path
) -> None:
    source.away = True
    again = Routing(source, Flows(source, tmp_path / "flows"), tmp_path / "routing.json")
    again.load()
    assert again.current() == data.current()
    with pytest.raises(RoutingUnavailable):
        Routing(source, Flows(source, tmp_path / "flows"), tmp_path / "nothing.json").load()
