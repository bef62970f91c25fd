"""What a flow looks up while the call goes on: notices as they are now (R24), contacts from our own copy (R111)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent import spawn

from engine.domain.call import CallResult
from engine.domain.contact import Contact
from engine.domain.routing import NoticeEntry
from engine.session.contacts import Contacts
from engine.switch.port import Digits, Played
from ivr_flows.flow import Variable
from ivr_flows.instructions import FindContact
from ivr_flows.results import ContactsFound, Refused
from tests.unit.session.bench import Bench, FakeContacts, path
from tests.unit.session.fake_switch import FakeChannel, Lost, channel_info
from tests.unit.session.test_instructions import BYE, made, results

SOUNDS = {"cs": "outage/cs.wav", "en": "outage/en.wav"}
CALLER = "+420601234567"
JAN = Contact(key="42", name="Jan", status="vip", numbers=(CALLER,), fields={"tariff": "gold", "pin": "47118"})


def noticing(*notices: NoticeEntry) -> Bench:
    node = {"type": "notice", "exits": {"active": "on", "inactive": "off"}}
    menu = {"type": "menu", "prompts": ["a"], "keys": {"1": "one"}, "attempts": 1}
    menu["exits"] = {"one": "notice", "no_input": "notice", "invalid": "notice"}
    bench = Bench(made({"menu": menu, "notice": node, "on": BYE, "off": BYE}))
    bench.snapshot = replace(bench.snapshot, notices=notices)
    return bench


def notice(**values: Any) -> NoticeEntry:
    known: dict[str, Any] = {"id": "general", "name": "Outage", "sounds": SOUNDS, "active": True}
    return NoticeEntry(**(known | values))


def heard(bench: Bench) -> list[str]:
    """What the caller heard after the menu."""
    channel = FakeChannel(script=[Digits("1"), Played()])
    bench.run(channel)
    return [str(each[1]) for each in channel.log if each[0] == "play"]


@pytest.mark.req("R24")
def test_the_notice_is_heard_while_it_is_on() -> None:
    bench = noticing(notice())
    assert heard(bench) == ["/prompts/outage/cs.wav"]
    assert path(bench.record()) == ["menu", "notice", "on"]


@pytest.mark.req("R24")
@pytest.mark.parametrize("off", [notice(active=False), notice(until_ms=1_800_000_000_000), notice(id="other")])
def test_callers_notice_nothing_while_it_is_off(off: NoticeEntry) -> None:
    bench = noticing(off)
    assert heard(bench) == []
    assert path(bench.record()) == ["menu", "notice", "off"]


@pytest.mark.req("R24")
def test_it_is_on_until_its_last_moment() -> None:
    bench = noticing(notice(until_ms=1_800_000_000_001))
    assert heard(bench) == ["/prompts/outage/cs.wav"]


def test_an_unknown_notice_is_refused() -> None:
    bench = noticing()
    assert heard(bench) == []
    assert results(bench)[-2] == {"kind": "refused", "reason": "no notice 'general'"}


@pytest.mark.req("R24")
@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
def test_a_call_that_is_under_way_hears_what_counts_now(before: bool, after: bool) -> None:
    """The call keeps the routing data that it began with; the notice is read from the newest."""
    bench = noticing(notice(active=before))
    bench.newer = replace(bench.snapshot, version=8, notices=(notice(active=after),))
    assert heard(bench) == (["/prompts/outage/cs.wav"] if after else [])


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [({"en": "e.wav", "cs": "c.wav"}, "c.wav"), ({"en": "e.wav", "de": "d.wav"}, "e.wav")],
)
def test_the_first_language_stands_in(sounds: dict[str, str], expected: str) -> None:
    assert heard(noticing(notice(sounds=sounds))) == [f"/prompts/{expected}"]


def looking_up(*contacts: Contact, value: str | None = None, by: str = "number") -> Bench:
    lookup = {"type": "lookup", "by": by, "value": value, "variables": {"name": "name", "tariff": "tariff"}}
    lookup["exits"] = {"one": "which", "many": "which", "none": "none", "error": "error"}
    case = {"when": "tariff == 'gold' and name == 'Jan'", "exit": "gold"}
    which = {"type": "branch", "cases": [case], "exits": {"gold": "gold", "default": "other"}}
    nodes: dict[str, Any] = {"lookup": lookup, "which": which, **dict.fromkeys(("gold", "other", "none", "error"), BYE)}
    bench = Bench(made(nodes, variables={"name": Variable("string"), "tariff": Variable("string")}))
    bench.contacts.contacts = list(contacts)
    return bench


@pytest.mark.req("R111")
def test_a_field_of_the_caller_decides() -> None:
    bench = looking_up(JAN)
    bench.run(FakeChannel())
    assert path(bench.record()) == ["lookup", "which", "gold"]
    assert results(bench)[0] == {"kind": "contacts", "count": 1, "fields": {"name": "Jan", "tariff": "gold"}}


def test_only_what_the_flow_asks_for_stands_in_the_journal() -> None:
    bench = looking_up(JAN)
    bench.run(FakeChannel())
    assert "47118" not in repr(bench.journal.streams)


@pytest.mark.req("R111")
@pytest.mark.parametrize(
    ("contacts", "came"),
    [
        ((Contact(key="1", numbers=(CALLER,)), JAN), ["lookup", "which", "other"]),
        ((JAN, Contact(key="1", numbers=(CALLER,))), ["lookup", "which", "gold"]),
        ((), ["lookup", "none"]),
    ],
)
def test_of_several_the_first_and_none(contacts: tuple[Contact, ...], came: list[str]) -> None:
    bench = looking_up(*contacts)
    bench.run(FakeChannel())
    assert path(bench.record()) == came


@pytest.mark.req("R11", "R111")
@pytest.mark.parametrize(
    ("by", "value", "exit_name"),
    [
        ("number", "'601 234 567'", "gold"),
        ("number", "'00420601234567'", "gold"),
        ("number", "'201'", "none"),
        ("number", "'42'", "none"),
        ("key", "'42'", "gold"),
        ("key", f"'{CALLER}'", "none"),
    ],
)
def test_by_a_number_in_any_form_and_by_key(by: str, value: str, exit_name: str) -> None:
    bench = looking_up(JAN, replace(JAN, key="x", numbers=("201", "42")), value=value, by=by)
    bench.run(FakeChannel())
    assert path(bench.record())[-1] == exit_name


@pytest.mark.req("R111")
def test_nobody_can_be_asked() -> None:
    bench = looking_up(JAN)
    bench.contacts.away = "connection refused"
    bench.run(FakeChannel())
    assert path(bench.record()) == ["lookup", "error"]
    assert results(bench)[0] == {"kind": "refused", "reason": "connection refused"}


@pytest.mark.req("R111")
def test_a_look_up_that_takes_too_long_is_given_up() -> None:
    source = FakeContacts(hangs=True)
    call: Any = SimpleNamespace(call_id="a-leg", facts=SimpleNamespace(country="CZ"))
    looking = spawn(Contacts(source, limit_s=0.05).find, FindContact("number", CALLER), FakeChannel(), call)
    found = looking.get(timeout=5)
    assert found == Refused("no answer from the database within 0.05 s")
    assert source.given_up.is_set()


def test_a_hidden_number_asks_nobody() -> None:
    bench = looking_up(JAN)
    bench.contacts.away = "nobody should be asked"
    bench.run(FakeChannel(channel_info(ani="anonymous")))
    assert path(bench.record()) == ["lookup", "none"]
    call: Any = SimpleNamespace(facts=SimpleNamespace(country="CZ"))
    asked = Contacts(cast("Any", None)).find(FindContact("number", "x"), FakeChannel(), call)
    assert asked == ContactsFound(0)


@pytest.mark.req("R91")
def test_the_caller_hangs_up_during_a_look_up() -> None:
    bench = looking_up(JAN)
    bench.contacts.hangs = True
    channel = FakeChannel()
    running = bench.start(channel)
    assert bench.contacts.hanging.get(timeout=5) == CALLER
    channel.caller_hangs_up()
    running.join(5)
    assert bench.contacts.given_up.wait(5)
    assert bench.record().result == CallResult.LOST_IN_IVR


@pytest.mark.req("R124")
def test_a_call_that_is_taken_up_knows_what_was_found() -> None:
    bench = noticing(notice())
    bench.run(FakeChannel(script=[Digits("1"), Lost()]))
    bench.snapshot = replace(bench.snapshot, notices=(notice(active=False),))
    channel = FakeChannel(channel_info(variables={"cw_seen": "1"}, attempt=2), [Played()])
    bench.run(channel, bench.engine("e2"))
    assert path(bench.record()) == ["menu", "notice", "on"], "what a call was told once stays so for it"
