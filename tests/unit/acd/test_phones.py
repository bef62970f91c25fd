"""Whose phone is registered, by what the switches tell, and who asks them."""

from __future__ import annotations

import pytest

from engine.acd.phones import KEPT_MS, Phones
from engine.acd_parts import ASK_PHONES_EVERY_S, PhoneWatch
from tests.unit.session.fake_switch import FakeControl

WHO = ("alice", "bob")


def answers(phones: Phones) -> list[bool | None]:
    return [phones.registered(each) for each in WHO]


def test_one_switch_is_enough() -> None:
    phones = Phones(["a", "b"], 0)
    assert answers(phones) == [None, None]
    phones.answered("a", frozenset({"alice"}))
    assert answers(phones) == [True, None], "the other one may have him"
    assert phones.take_changed() is None, "everybody"
    phones.answered("b", frozenset({"alice"}))
    assert answers(phones) == [True, False]
    phones.take_changed()
    phones.heard("a", "alice", False)
    assert (phones.registered("alice"), phones.take_changed()) == (True, {"alice"})
    phones.heard("b", "alice", False)
    phones.heard("b", "bob", True)
    assert answers(phones) == [False, True]
    assert (phones.take_changed(), phones.take_changed()) == ({"alice", "bob"}, set())


@pytest.mark.req("R5")
def test_a_switch_that_is_away_sends_nobody_home_for_a_minute() -> None:
    phones = Phones(["a", "b"], 0)
    phones.answered("a", frozenset({"alice"}))
    phones.answered("b", frozenset())
    phones.silent("a", 1_000)
    phones.silent("a", 1_000 + KEPT_MS - 1)
    phones.take_changed()
    assert phones.registered("alice")
    phones.silent("a", 1_000 + KEPT_MS)
    assert (phones.registered("alice"), phones.take_changed()) == (False, None)
    phones.answered("a", frozenset({"alice"}))
    phones.silent("a", 500_000)
    assert phones.registered("alice"), "the minute begins anew"


def test_a_switch_that_never_answers_is_waited_for_a_minute() -> None:
    phones = Phones(["a", "b"], 5)
    phones.answered("b", frozenset({"bob"}))
    phones.silent("a", KEPT_MS)
    assert answers(phones) == [None, True]
    phones.silent("a", KEPT_MS + 5)
    assert answers(phones) == [False, True]


def test_what_is_told_meanwhile_is_newer_than_the_answer() -> None:
    phones = Phones(["a"], 0)
    phones.heard("a", "bob", True)
    phones.asked("a")
    phones.heard("a", "alice", True)
    phones.heard("a", "bob", False)
    phones.answered("a", frozenset({"bob"}))
    assert answers(phones) == [True, False]
    phones.asked("a")
    phones.answered("a", frozenset({"bob"}))
    assert answers(phones) == [False, True]


class Watched:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.control = FakeControl(phones={"alice"})
        self.watch = PhoneWatch({"a": self.control}, lambda: self.now_s)
        self.phones = self.watch.phones

    def after(self, seconds: float) -> list[bool | None]:
        self.now_s += seconds
        self.watch.look()
        return answers(self.phones)


@pytest.mark.req("R5")
def test_the_switch_is_asked_now_and_then_and_believed_in_between() -> None:
    watched = Watched()
    assert watched.after(0) == [True, False]
    watched.control.registers("bob")
    watched.control.unregisters("alice")
    assert answers(watched.phones) == [False, True]
    watched.control.phones = {"alice"}
    assert watched.after(ASK_PHONES_EVERY_S - 1) == [False, True]
    assert watched.after(1) == [True, False], "what was never told is found"


@pytest.mark.req("R5")
def test_a_connection_that_breaks() -> None:
    watched = Watched()
    watched.after(0)
    watched.control.connected = False
    watched.after(1)
    watched.control.phones = {"bob"}
    watched.control.connected = True
    assert watched.after(1) == [False, True], "asked as soon as it is there again"
    watched.control.connected = False
    watched.after(1)
    assert watched.after(KEPT_MS / 1000 - 1) == [False, True]
    assert watched.after(1) == [False, False]
