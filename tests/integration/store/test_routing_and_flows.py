from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.domain.acd import Accept, AgentState, Strategy, Tier
from engine.domain.routing import (
    AgentEntry,
    Announcements,
    NoticeEntry,
    NumberRoute,
    Overflow,
    OverflowKind,
    OverflowReason,
    QueueEntry,
    RoutingSnapshot,
    TrunkEntry,
)
from engine.store.audit import AuditRow, KeyRow, KeyStore, add_audit, read_audit
from engine.store.catalogue import AGENTS, CALENDARS, NOTICES, NUMBERS, QUEUES, TRUNKS, CalendarEntry, Catalogue
from engine.store.database import Database
from engine.store.errors import BadData, NoSuchRow
from engine.store.flows import FlowStore, VersionSummary
from engine.store.routing import RoutingStore, bump

DEFINITION: dict[str, Any] = {"id": "main", "z": 1e16, "nodes": {"b": 1.0, "a": [None, True, "ž"]}}


@pytest.fixture
def flows(database: Database) -> FlowStore:
    return FlowStore(database)


def save(
    database: Database,
    version: str = "v1",
    layout: dict[str, Any] | None = None,
    at_ms: int = 1_000,
    *,
    passed: bool = True,
) -> bool:
    checked = (at_ms, "jan") if passed else (None, None)
    found = ({"code": "deep" if passed else "bad"},)
    summary = VersionSummary("main", version, "Hlavní linka", "inbound", found, at_ms, "jan", *checked)
    with database.transaction() as session:
        return FlowStore(database).save_version(session, summary, DEFINITION, layout or {})


def activate(database: Database, version: str, now_ms: int = 2_000) -> str | None:
    with database.transaction() as session:
        bump(session, now_ms)
        return FlowStore(database).activate(session, "main", version, now_ms=now_ms, by="jan")


@pytest.mark.req("R21")
def test_a_definition_comes_back_to_the_letter(database: Database, flows: FlowStore) -> None:
    assert save(database)
    kept = flows.definition("main", "v1")
    assert repr(kept) == repr(DEFINITION)


@pytest.mark.req("R21")
def test_a_version_that_comes_again_only_brings_its_layout(database: Database, flows: FlowStore) -> None:
    save(database, layout={"a": {"x": 1}})
    assert not save(database, layout={"a": {"x": 2}}, at_ms=9_000)
    assert flows.definition("main", "v1") == DEFINITION | {"layout": {"a": {"x": 2}}}
    (version,) = flows.versions("main")
    assert (version.uploaded_ms, version.uploaded_by, version.findings) == (1_000, "jan", ({"code": "deep"},))


@pytest.mark.req("R21")
def test_a_draft_is_one_until_it_passes(database: Database, flows: FlowStore) -> None:
    save(database, passed=False)
    (draft,) = flows.versions("main")
    assert (draft.checked_ms, draft.checked_by, draft.findings) == (None, None, ({"code": "bad"},))
    save(database, at_ms=3_000)
    save(database, at_ms=9_000, passed=False)
    (checked,) = flows.versions("main")
    assert (checked.checked_ms, checked.checked_by, checked.findings) == (3_000, "jan", ({"code": "deep"},))


@pytest.mark.req("R21")
def test_the_newest_activation_counts_and_an_older_version_is_a_roll_back(database: Database, flows: FlowStore) -> None:
    save(database, "v1")
    save(database, "v2", at_ms=1_500)
    found = flows.get("main")
    assert found is not None
    assert found.active_version is None
    assert [activate(database, version) for version in ("v1", "v2", "v2", "v1")] == [None, "v1", "v2", "v2"]
    (found,) = flows.list()
    assert (found.active_version, found.name) == ("v1", "Hlavní linka")
    assert [each.version for each in flows.activations("main")] == ["v1", "v2", "v1"]
    assert [each.version for each in flows.versions("main")] == ["v2", "v1"]


def test_what_was_never_uploaded_can_not_be_activated(database: Database, flows: FlowStore) -> None:
    with pytest.raises(NoSuchRow):
        activate(database, "v9")
    assert flows.definition("main", "v9") is None
    assert flows.get("main") is None
    assert RoutingStore(database).version() == 1


CATALOGUES: list[tuple[Catalogue[Any], Any, Any]] = [
    (
        NUMBERS,
        NumberRoute("+420222111000", "main"),
        NumberRoute("+420222111000", "main", "en", "SK", True, "o2", 30, "+420777000111"),
    ),
    (
        AGENTS,
        AgentEntry("bob", "Bob", skills={"czech": 9}, queues={"sales": Tier(), "orders": Tier(1, 2)}),
        AgentEntry(
            "bob",
            "Bob Novák",
            "201",
            {"czech": 10, "billing": 5},
            {"sales": Tier(2, 3), "complaints": Tier()},
            False,
            "+420777123456",
            (AgentState.BREAK, AgentState.LOGGED_OUT),
        ),
    ),
    (
        TRUNKS,
        TrunkEntry("t1", "192.0.2.1"),
        TrunkEntry("t1", "sip.example:5070", "O2", "user", True, "00", ("192.0.2.0/24",), 30, "+420222111000", 10),
    ),
    (CALENDARS, CalendarEntry("c1", {"weekly": {}}), CalendarEntry("c1", {"weekly": {"mon": ["08:00-12:00"]}})),
    (
        QUEUES,
        QueueEntry(id="support", name="Support"),
        QueueEntry(
            id="support",
            name="Podpora",
            strategy=Strategy.BEST_SKILL,
            priority=5,
            weight=2.5,
            ageing_per_min=0.25,
            tier_wait_s=30,
            ring_s=25,
            wrap_up_s=60,
            sticky_wait_s=40,
            accept=Accept.KEY,
            whisper="support/cs.wav",
            wait_flow="main",
            music="music/calm.wav",
            calendar="office",
            overflow={
                OverflowReason.CLOSED: Overflow(OverflowKind.NUMBER, "+420777000111"),
                OverflowReason.FULL: Overflow(OverflowKind.QUEUE, "sales"),
            },
            max_waiting=50,
            max_wait_s=600,
            service_level_s=30,
            announcements=Announcements(first_after_s=5, position_every_s=45, expected_wait_every_s=90),
        ),
    ),
    (
        NOTICES,
        NoticeEntry(id="general", name="Outage", sounds={"cs": "outage/cs.wav"}),
        NoticeEntry(
            id="general",
            name="Výpadek",
            sounds={"en": "outage/en.wav", "cs": "outage/cs.wav"},
            active=True,
            until_ms=1_790_000_000_123,
            changed_ms=1_780_000_000_456,
            changed_by="jan",
        ),
    ),
]
NAMES = ["numbers", "agents", "trunks", "calendars", "queues", "notices"]


def put_what_they_refer_to(session: Session) -> None:
    TRUNKS.put(session, TrunkEntry("o2", "192.0.2.9"))
    CALENDARS.put(session, CalendarEntry("office", {}))
    for queue in ("sales", "orders", "complaints"):
        QUEUES.put(session, QueueEntry(id=queue, name=queue))


@pytest.mark.parametrize(("catalogue", "first", "second"), CATALOGUES, ids=NAMES)
def test_put_get_list_delete(database: Database, catalogue: Catalogue[Any], first: Any, second: Any) -> None:
    save(database)
    with database.transaction() as session:
        put_what_they_refer_to(session)
        key = getattr(first, catalogue.key)
        assert catalogue.get(session, key) is None
        assert not catalogue.delete(session, key)
        assert catalogue.put(session, first)
        assert catalogue.get(session, key) == first
        assert not catalogue.put(session, second)
        session.expire_all()
        assert second in catalogue.list(session)
        assert catalogue.delete(session, key)
        assert first not in catalogue.list(session)


def test_a_secret_stays_until_it_is_replaced_and_stands_in_no_snapshot(database: Database) -> None:
    with database.transaction() as session:
        AGENTS.put(session, AgentEntry("bob", "Bob"), "first-password")
        AGENTS.put(session, AgentEntry("bob", "Robert"))
        TRUNKS.put(session, TrunkEntry("o2", "192.0.2.9"), "trunk-password")
    store = RoutingStore(database)
    credentials = store.credentials()
    assert (credentials.agents, credentials.trunks) == ({"bob": "first-password"}, {"o2": "trunk-password"})
    assert "password" not in repr(credentials) + repr(store.snapshot())


def test_a_number_needs_its_flow(database: Database) -> None:
    with pytest.raises(BadData), database.transaction() as session:
        NUMBERS.put(session, NumberRoute("+420222111000", "nothing"))


@pytest.mark.req("R2")
def test_a_queue_stays_as_long_as_agents_work_in_it(database: Database) -> None:
    with database.transaction() as session:
        QUEUES.put(session, QueueEntry(id="sales", name="Sales"))
        AGENTS.put(session, AgentEntry("bob", "Bob", queues={"sales": Tier()}))
    with pytest.raises(BadData), database.transaction() as session:
        QUEUES.delete(session, "sales")
    with database.transaction() as session:
        assert AGENTS.delete(session, "bob")
        assert QUEUES.delete(session, "sales")


def test_a_snapshot_holds_everything_and_can_be_kept_as_json(database: Database) -> None:
    save(database)
    activate(database, "v1")
    with database.transaction() as session:
        put_what_they_refer_to(session)
        for catalogue, _, entry in CATALOGUES:
            catalogue.put(session, entry)
    snapshot = RoutingStore(database).snapshot()
    assert snapshot.version == 2
    assert snapshot.numbers == (CATALOGUES[0][2],)
    assert snapshot.agents == (CATALOGUES[1][2],)
    assert CATALOGUES[2][2] in snapshot.trunks
    assert snapshot.calendars == {"c1": CATALOGUES[3][2].definition, "office": {}}
    assert [queue.id for queue in snapshot.queues] == ["complaints", "orders", "sales", "support"]
    assert snapshot.queues[-1] == CATALOGUES[4][2]
    assert snapshot.notices == (CATALOGUES[5][2],)
    assert list(snapshot.notices[0].sounds) == ["en", "cs"], "the first language counts"
    assert snapshot.active_flows == {"main": "v1"}
    adapter = TypeAdapter(RoutingSnapshot)
    assert adapter.validate_json(adapter.dump_json(snapshot)) == snapshot


@pytest.mark.req("R124")
def test_a_snapshot_never_mixes_two_changes(database: Database) -> None:
    """Agent `v<n>` exists at version n and at no other; whoever reads meanwhile must never see anything else."""
    changes = 40
    faults: list[RoutingSnapshot] = []
    done = threading.Event()

    def watch() -> None:
        store = RoutingStore(database)
        while not done.is_set():
            seen = store.snapshot()
            expected = [] if seen.version == 1 else [f"v{seen.version}"]
            if [agent.id for agent in seen.agents] != expected:
                faults.append(seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(changes):
        with database.transaction() as session:
            version = bump(session, 1)
            session.execute(text("DELETE FROM agents"))
            AGENTS.put(session, AgentEntry(f"v{version}", "x"))
    done.set()
    watcher.join()
    assert faults == []
    assert RoutingStore(database).version() == 1 + changes


def test_a_change_that_fails_does_not_count(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            bump(session, 1)
            raise LookupError("on the way")

    with pytest.raises(LookupError):
        fail()
    assert RoutingStore(database).version() == 1


@pytest.mark.req("R122")
def test_the_audit_trail_is_read_newest_first(database: Database) -> None:
    rows = [AuditRow(1_000 + n, "jan", "192.0.2.7", "agent.put", f"agent:{n % 2}", "ok", {"n": n}) for n in range(4)]
    with database.transaction() as session:
        for row in rows:
            add_audit(session, row)
        assert read_audit(session) == rows[::-1]
        assert read_audit(session, "agent:1", limit=1) == [rows[3]]


def test_a_key_lives_until_it_is_revoked(database: Database) -> None:
    store = KeyStore(database)

    def within(work: Callable[[Any], Any]) -> Any:
        with database.transaction() as session:
            return work(session)

    key = KeyRow("k1", "nightly export", "ab" * 32, 1_000, "jan")
    within(lambda session: store.add(session, key))
    assert store.get("k1") == key
    assert within(lambda session: store.revoke(session, "k1", 2_000))
    assert not within(lambda session: store.revoke(session, "k1", 3_000))
    (kept,) = store.list()
    assert kept.revoked_ms == 2_000
    assert store.get("k2") is None
