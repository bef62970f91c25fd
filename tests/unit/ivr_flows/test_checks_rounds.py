"""Rounds, limits and the longest way to a person: what the checks let pass and what they tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

import ivr_flows
from ivr_flows.verify import WorldKind
from tests.unit.ivr_flows.documents import codes, flow, play
from tests.unit.ivr_flows.random_flows import answers, converse

COUNT = {"type": "set", "variables": {"rounds": "rounds + 1"}, "exits": {"next": "enough"}}
ENOUGH = {
    "type": "branch",
    "cases": [{"when": "rounds > 3", "exit": "yes"}],
    "exits": {"yes": "bye", "default": "play"},
}
BYE = {"type": "hangup"}
ROUNDS = {"rounds": {"type": "number", "default": 0}}


class TestCycles:
    def test_counted_rounds(self) -> None:
        nodes = {"play": play("count"), "count": COUNT, "enough": ENOUGH, "bye": BYE}
        assert codes(flow(nodes, variables=ROUNDS)) == []

    @pytest.mark.parametrize("step", ["rounds + 1", "1 + rounds", "rounds + 2"])
    def test_however_the_step_is_written(self, step: str) -> None:
        count = {**COUNT, "variables": {"rounds": step}}
        assert (
            codes(flow({"play": play("count"), "count": count, "enough": ENOUGH, "bye": BYE}, variables=ROUNDS)) == []
        )

    def test_what_may_go_wrong_in_a_waiting_flow_is_named(self) -> None:
        nodes = {"play": {**play("play"), "exits": {"done": "play", "error": "play"}}}
        (finding,) = ivr_flows.check(flow(nodes, kind="queue_wait"))
        assert "play -> play (exits that take no time: 'error')" in finding.message

    def test_a_way_round_the_counter(self) -> None:
        shortcut = {"type": "play", "prompts": ["p"], "exits": {"done": "count", "error": "play"}}
        nodes = {"play": shortcut, "count": COUNT, "enough": ENOUGH, "bye": BYE}
        assert codes(flow(nodes, variables=ROUNDS)) == ["endless_cycle"]

    def test_a_counter_that_is_set_back(self) -> None:
        reset = {"type": "set", "variables": {"rounds": "0"}, "exits": {"next": "play"}}
        enough = {**ENOUGH, "exits": {"yes": "bye", "default": "reset"}}
        nodes = {"play": play("count"), "count": COUNT, "enough": enough, "reset": reset, "bye": BYE}
        assert codes(flow(nodes, variables=ROUNDS)) == ["endless_cycle"]

    def test_a_counter_bounds_it(self) -> None:
        counter = {"type": "counter", "passes": 3, "exits": {"again": "play", "exhausted": "bye"}}
        assert codes(flow({"play": play("count"), "count": counter, "bye": BYE})) == []
        counter["exits"] = {"again": "bye", "exhausted": "play"}
        assert codes(flow({"play": play("count"), "count": counter, "bye": BYE})) == ["endless_cycle"]

    def test_a_key_stops_it(self) -> None:
        listen = {**play("menu"), "stop_keys": "1"}
        menu = {
            "type": "menu",
            "prompts": ["p"],
            "keys": {"1": "again"},
            "exits": {"again": "play", "no_input": "bye", "invalid": "play"},
        }
        listen["exits"] = {"done": "menu", "error": "menu", "key": "play"}
        assert codes(flow({"play": listen, "menu": menu, "bye": BYE})) == []

    def test_a_waiting_flow_goes_round_as_long_as_it_takes_time(self) -> None:
        nodes = {"play": play("say"), "say": {"type": "say", "form": "number", "value": "1", "exits": {}}}
        nodes["say"]["exits"] = {"done": "play", "error": "wait"}
        nodes["play"]["exits"]["error"] = "wait"
        nodes["wait"] = {"type": "wait", "wait_ms": 5000, "exits": {"done": "play"}}
        assert codes(flow(nodes, kind="queue_wait")) == []

    def test_a_waiting_flow_whose_prompts_are_missing(self) -> None:
        (finding,) = ivr_flows.check(flow({"play": play("play")}, kind="queue_wait"))
        assert (finding.code, finding.path) == ("endless_cycle", ("play", "play"))
        assert "put a wait into the rounds" in finding.message

    @pytest.mark.parametrize(
        ("exit_name", "found"),
        [("timeout", []), *((each, ["endless_cycle"]) for each in ("ok", "refused", "error"))],
    )
    def test_a_waiting_flow_that_asks_a_service(self, exit_name: str, found: list[str]) -> None:
        exits = {**dict.fromkeys(("ok", "refused", "timeout", "error"), "wait"), exit_name: "ask"}
        ask = {"type": "http", "url": "https://a.example.com/x", "exits": exits}
        nodes = {"ask": ask, "wait": {"type": "wait", "wait_ms": 5000, "exits": {"done": "ask"}}}
        assert codes(flow(nodes, kind="queue_wait", prompts={})) == found

    def test_a_waiting_flow_may_go_round_for_a_while_without_time(self) -> None:
        counter = {"type": "counter", "passes": 3, "exits": {"again": "play", "exhausted": "wait"}}
        nodes = {
            "play": {"type": "play", "prompts": ["p"], "exits": {"done": "play", "error": "count"}},
            "count": counter,
            "wait": {"type": "wait", "wait_ms": 5000, "exits": {"done": "play"}},
        }
        assert codes(flow(nodes, kind="queue_wait")) == []

    def test_a_waiting_flow_that_takes_no_time(self) -> None:
        hours = {"type": "schedule", "calendar": "c", "exits": dict.fromkeys(("open", "closed", "holiday"), "hours")}
        nodes = {"play": play("hours"), "hours": hours}
        assert codes(flow(nodes, kind="queue_wait")) == ["endless_cycle"]


class TestLimits:
    @staticmethod
    def found(passes: int, **limits: int) -> list[tuple[str, str, str | None]]:
        counter = {"type": "counter", "passes": passes, "exits": {"again": "play", "exhausted": "bye"}}
        found = ivr_flows.check(flow({"count": counter, "play": play("count"), "bye": BYE}, limits=limits))
        return [(each.severity, each.code, each.node) for each in found]

    def test_a_counter_that_max_steps_allows(self) -> None:
        assert self.found(20, max_steps=42) == []  # 21 times the counter, 20 prompts and the end

    def test_a_counter_that_it_does_not_allow(self) -> None:
        assert self.found(20, max_steps=41) == [("error", "step_limit", "count")]

    def test_counters_within_each_other(self) -> None:
        outer = {"type": "counter", "passes": 700, "exits": {"again": "inner", "exhausted": "bye"}}
        inner = {"type": "counter", "passes": 700, "exits": {"again": "inner", "exhausted": "outer"}}
        (finding,) = ivr_flows.check(flow({"outer": outer, "inner": inner, "bye": BYE}, prompts={}))
        assert (finding.code, finding.node) == ("step_limit", "outer")
        assert "may enter 2,802 nodes, and max_steps is 2,000" in finding.message  # 2,102 do happen

    def test_an_end_that_no_call_comes_to(self) -> None:
        document = flow({"a": play("b"), "b": play("bye"), "bye": BYE}, limits={"max_steps": 2})
        (finding,) = ivr_flows.check(document)
        assert (finding.severity, finding.code, finding.field) == ("error", "step_limit", "limits.max_steps")
        assert "to the node 'bye', enters 3 nodes" in finding.message
        assert codes({**document, "limits": {"max_steps": 3}}) == []

    def test_more_time_than_max_seconds_is_a_warning(self) -> None:
        assert self.found(5, max_seconds=25) == []
        assert self.found(5, max_seconds=24) == [("warning", "time_limit", None)]

    def test_ringing_is_time_too(self) -> None:
        exits = dict.fromkeys(("finished", "busy", "no_answer", "not_ready"), "bye")
        nodes = {"agent": {"type": "agent", "agent": "alice", "ring_timeout_s": 60, "exits": exits}, "bye": BYE}
        assert codes(flow(nodes, prompts={}, limits={"max_seconds": 60})) == []
        assert codes(flow(nodes, prompts={}, limits={"max_seconds": 59})) == ["time_limit"]

    def test_time_counts_from_where_a_key_has_led(self) -> None:
        menu = {"type": "menu", "prompts": ["p"], "keys": {"1": "on"}, "attempts": 1}
        menu["exits"] = {"on": "play", "no_input": "bye", "invalid": "bye"}
        nodes = {"menu": menu, "play": play("wait"), "bye": BYE}
        nodes["wait"] = {"type": "wait", "wait_ms": 10_000, "exits": {"done": "bye"}}
        assert codes(flow(nodes, limits={"max_seconds": 15})) == []
        assert codes(flow(nodes, limits={"max_seconds": 14})) == ["time_limit"]


class TestCalledFlows:
    def test_whoever_calls_may_give_any_value(self) -> None:
        nodes = {"play": play("count"), "count": COUNT, "enough": ENOUGH, "bye": {"type": "return_flow"}}
        assert codes(flow(nodes, kind="sub", variables=ROUNDS)) == ["endless_cycle"]

    def test_a_variable_that_is_set_before_it_counts(self) -> None:
        begin = {"type": "set", "variables": {"rounds": "0"}, "exits": {"next": "play"}}
        nodes = {
            "begin": begin,
            "play": play("count"),
            "count": COUNT,
            "enough": ENOUGH,
            "bye": {"type": "return_flow"},
        }
        assert codes(flow(nodes, kind="sub", variables=ROUNDS)) == []

    @pytest.mark.parametrize(("kind", "end"), [("sub", "step_limit"), ("inbound", "hangup")])
    def test_a_flow_of_another_kind_begins_with_its_own_values(self, kind: str, end: str) -> None:
        nodes = {"play": play("count"), "count": COUNT, "enough": ENOUGH, "bye": BYE}
        called = {**flow(nodes, kind=kind, variables=ROUNDS), "id": "called"}
        call: dict[str, Any] = {"type": "call_flow", "flow": "called", "arguments": {"rounds": "-1000000"}}
        call["exits"] = {"returned": "bye", "error": "bye"}
        flows = [ivr_flows.load_stored(each) for each in (flow({"call": call, "bye": BYE}, prompts={}), called)]
        assert converse(flows, lambda step: answers(step.instruction, pressing=False)[0]).end == end

    @pytest.mark.parametrize(("kind", "found"), [("sub", []), ("inbound", ["bad_node"])])
    def test_only_flows_of_kind_sub_take_arguments(self, kind: str, found: list[str]) -> None:
        called = {**flow({"bye": BYE}, kind=kind, prompts={}), "id": "called"}

        class World:
            def names(self, kind: WorldKind) -> Collection[str] | None:
                return None

            def flow(self, flow: str, version: str | None) -> Mapping[str, Any] | None:
                return called if flow == "called" else None

        call = {"type": "call_flow", "flow": "called", "arguments": {"a": "1"}}
        call["exits"] = {"returned": "bye", "error": "bye"}
        assert codes(flow({"call": call, "bye": BYE}, prompts={}), World()) == found


AGENT = {
    "type": "agent",
    "agent": "alice",
    "exits": dict.fromkeys(("finished", "busy", "no_answer", "not_ready"), "bye"),
}


class TestLongestWayToAPerson:
    def longest(self, nodes: dict[str, Any], **more: Any) -> tuple[int | None, list[str]] | None:
        found = ivr_flows.report(flow({**nodes, "agent": AGENT, "bye": BYE}, **more)).to_person
        return (found.ms, list(found.path)) if found is not None else None

    def test_prompts_and_the_longest_branch(self) -> None:
        hours = {"type": "schedule", "calendar": "c", "exits": {"open": "agent", "closed": "bye", "holiday": "sorry"}}
        nodes = {"hello": play("hours"), "hours": hours, "sorry": play("again"), "again": play("agent")}
        assert self.longest(nodes) == (15_000, ["hello", "hours", "sorry", "again", "agent"])

    def test_a_menu_that_is_answered_at_the_last_moment(self) -> None:
        exits = {"on": "agent", "back": "menu", "no_input": "bye", "invalid": "menu"}
        menu = {"type": "menu", "prompts": ["p"], "keys": {"1": "on", "9": "back"}, "timeout_ms": 4000, "exits": exits}
        assert self.longest({"menu": menu}) == (27_000, ["menu", "agent"])

    def test_rounds_that_the_caller_chooses_do_not_count(self) -> None:
        first = {"type": "menu", "prompts": ["p"], "keys": {"1": "on"}, "attempts": 1}
        first["exits"] = {"on": "info", "no_input": "info", "invalid": "info"}
        second = {**first, "exits": {"on": "first", "no_input": "agent", "invalid": "first"}}
        nodes = {"first": first, "info": play("second"), "second": second}
        assert self.longest(nodes) == (25_000, ["first", "info", "second", "agent"])

    def test_rounds_that_are_bounded_count_as_often_as_may_be(self) -> None:
        counter = {"type": "counter", "passes": 3, "exits": {"again": "play", "exhausted": "agent"}}
        assert self.longest({"play": play("count"), "count": counter}) == (20_000, ["play", "count", "agent"])

    def test_no_longer_than_the_time_limit(self) -> None:
        counter = {"type": "counter", "passes": 1000, "exits": {"again": "play", "exhausted": "agent"}}
        found = self.longest({"play": play("count"), "count": counter}, limits={"max_seconds": 60})
        assert found == (60_000, ["play", "count", "agent"])

    def test_the_way_goes_past_where_the_time_passes(self) -> None:
        menu = {"type": "menu", "prompts": ["p"], "keys": {"1": "on"}}
        menu["exits"] = {"on": "agent", "no_input": "count", "invalid": "count"}
        counter = {"type": "counter", "passes": 2, "exits": {"again": "menu", "exhausted": "agent"}}
        assert self.longest({"count": counter, "menu": menu}) == (60_000, ["count", "menu", "count", "agent"])

    def test_rounds_that_a_variable_counts(self) -> None:
        nodes = {
            "play": play("count"),
            "count": COUNT,
            "enough": {**ENOUGH, "exits": {"yes": "agent", "default": "play"}},
        }
        assert self.longest(nodes, variables=ROUNDS) == (20_000, ["play", "count", "enough", "agent"])

    def test_rounds_without_end(self) -> None:
        again = {"type": "play", "prompts": ["p"], "exits": {"done": "again", "error": "agent"}}
        assert self.longest({"again": again}) == (None, ["again", "agent"])

    def test_where_nobody_is_rung(self) -> None:
        assert self.longest({"hello": play("bye")}) is None
