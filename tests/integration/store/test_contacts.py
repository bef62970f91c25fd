"""Contacts in PostgreSQL: written together, found by one query while a call waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from engine.domain.contact import Contact
from engine.lookups import Lookups
from engine.session.contacts import ContactsUnavailable
from engine.store.contacts import ContactStore, put_contacts
from engine.store.database import Database
from tests.integration.store.test_gevent import in_engine_like_process

SHARED = "+420222111000"
OWN = "+420777123456"


def contact(key: str, *numbers: str) -> Contact:
    return Contact(key=key, name=f"Name {key}", status="ok", numbers=numbers, fields={"city": "Brno"})


def put(database: Database, *contacts: Contact) -> set[str]:
    with database.transaction() as session:
        return put_contacts(session, contacts)


@pytest.mark.req("R111")
def test_the_first_of_several_is_always_the_same(database: Database) -> None:
    put(database, contact("a", OWN, SHARED), contact("b", SHARED), contact("B", SHARED), contact("c"))
    store = ContactStore(database)
    count, first = store.find("number", SHARED)
    assert first is not None
    assert (count, first.key) == (3, "B"), "whose main number it is; then by the key, capitals first"
    assert [each.key for each in store.of_number(SHARED)] == ["B", "b", "a"]
    assert store.of_number(SHARED)[-1].numbers == (OWN, SHARED)
    count, only = store.find("number", OWN)
    assert only is not None
    assert (count, only.value("key"), only.value("status"), only.value("city")) == (1, "a", "ok", "Brno")
    assert only.value("no_such") is None
    assert store.find("number", "+420777000000") == (0, None)


@pytest.mark.req("R111")
def test_a_contact_is_found_by_the_customers_key(database: Database) -> None:
    put(database, contact("10000420", OWN))
    count, found = ContactStore(database).find("key", "10000420")
    assert found is not None
    assert (count, found.name) == (1, "Name 10000420")
    assert ContactStore(database).find("key", "1000042") == (0, None)


@pytest.mark.req("R110")
def test_writing_tells_which_are_new(database: Database) -> None:
    assert put(database, contact("1"), contact("2", OWN)) == {"1", "2"}
    assert put(database, contact("2", SHARED), contact("3")) == {"3"}
    assert ContactStore(database).of_number(OWN) == []
    assert put(database) == set()


def test_those_who_write_the_same_at_once_wait_for_each_other(database: Database) -> None:
    together = threading.Barrier(4)
    contacts = [contact(f"k{n}", OWN, SHARED) for n in range(300)]

    def write(turned: bool) -> None:
        together.wait()
        for _ in range(3):
            put(database, *(reversed(contacts) if turned else contacts))

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write, bool(n % 2)) for n in range(4)]
    assert [each.exception() for each in done] == [None] * 4
    assert ContactStore(database).find("number", OWN)[0] == 300


@pytest.mark.req("R111")
def test_among_many_a_look_up_reads_a_few_pages(database: Database) -> None:
    put(database, *(contact(f"k{n}", f"+4206{n:08d}", SHARED) for n in range(5000)))
    with database.transaction() as session:
        session.execute(text("ANALYZE contacts, contact_numbers"))
    find = "SELECT * FROM contact_numbers n JOIN contacts c ON c.key = n.contact_key WHERE n.number = '+420600004321'"
    with database.transaction() as session:
        plan = "\n".join(session.execute(text(f"EXPLAIN {find}")).scalars())
    assert "Seq Scan" not in plan, plan
    assert ContactStore(database).find("number", "+420600004321")[0] == 1


@pytest.mark.req("R111")
def test_a_database_that_is_away_is_told(url: str) -> None:
    away = Lookups("postgresql://nobody@127.0.0.1:1/nothing", "tests")
    with pytest.raises(ContactsUnavailable):
        away.find("key", "1")
    there = Lookups(url, "tests")
    assert there.find("key", "1") == (0, None)
    there.close()


@pytest.mark.req("R111")
def test_a_database_that_does_not_answer_is_given_up_within_a_second(url: str) -> None:
    in_engine_like_process(
        url,
        """
        from types import SimpleNamespace
        from engine.lookups import Lookups
        from engine.session.contacts import Contacts
        from ivr_flows.instructions import FindContact
        from ivr_flows.results import ContactsFound, Refused

        channel = SimpleNamespace(on_end=lambda told: lambda: None)
        call = SimpleNamespace(call_id="a-leg")
        contacts = Contacts(Lookups(sys.argv[1], "tests"))
        ask = FindContact("key", "1", ("name",))
        assert contacts.find(ask, channel, call) == ContactsFound(0)

        database = Database(sys.argv[1])
        with database.transaction() as session:
            session.execute(text("LOCK TABLE contacts"))
            started = time.monotonic()
            calls = [gevent.spawn(contacts.find, ask, channel, call) for _ in range(30)]
            gevent.joinall(calls, raise_error=True)
            assert {type(each.value) for each in calls} == {Refused}, calls
            assert time.monotonic() - started < 3
        assert contacts.find(ask, channel, call) == ContactsFound(0)
        """,
    )
