"""No node type without golden cases, schema and documentation; and no class that doesn't keep the contract."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

import ivr_flows.nodes
from ivr_flows import pages
from ivr_flows.call import Call
from ivr_flows.node import REGISTRY, Node, NodeRun, node
from ivr_flows.schema import flow_schema

ROOT = Path(__file__).parents[3]
TYPES = sorted(REGISTRY)


def golden_cases(name: str) -> list[dict[str, Any]]:
    folder = ROOT / "tests" / "golden" / "nodes" / name
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def page(name: str) -> str:
    return (ROOT / "docs" / "nodes" / f"{name}.md").read_text(encoding="utf-8")


def test_one_file_for_each_type() -> None:
    folder = Path(ivr_flows.nodes.__file__).parent
    assert sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__") == TYPES
    assert all(REGISTRY[name].__module__ == f"ivr_flows.nodes.{name}" for name in TYPES)


@pytest.mark.req("R20")
def test_the_node_types_and_their_exits() -> None:
    found = {name: (*cls.EXITS, *["…"] * cls.MORE_EXITS) for name, cls in REGISTRY.items()}
    assert found == {
        "agent": ("finished", "busy", "no_answer", "not_ready"),
        "amd": ("human", "machine", "fax", "unsure"),
        "answer": ("next",),
        "branch": ("default", "…"),
        "call_flow": ("returned", "error"),
        "callback": ("accepted", "declined", "duplicate", "closed"),
        "collect": ("ok", "no_input", "invalid"),
        "conference": ("left", "error"),
        "counter": ("again", "exhausted"),
        "dial": ("finished", "busy", "no_answer", "rejected", "failed"),
        "emit": ("next", "error"),
        "goto_flow": (),
        "hangup": (),
        "http": ("ok", "refused", "timeout", "error"),
        "language": ("next",),
        "lookup": ("one", "many", "none", "error"),
        "menu": ("no_input", "invalid", "…"),
        "notice": ("active", "inactive"),
        "play": ("done", "error", "…"),
        "queue": ("finished", "timeout", "no_agents", "full", "closed", "…"),
        "queue_stats": ("default", "…"),
        "record": ("next", "error"),
        "return_flow": (),
        "say": ("done", "error"),
        "schedule": ("open", "closed", "holiday"),
        "send_dtmf": ("next",),
        "set": ("next",),
        "sms": ("next", "error"),
        "split": ("…",),
        "survey": ("done", "partial", "no_input"),
        "tts": ("done", "error"),
        "voicemail": ("saved", "too_short", "error"),
        "wait": ("done", "…"),
    }


@pytest.mark.parametrize("name", TYPES)
def test_every_exit_has_a_golden_case(name: str) -> None:
    cls = REGISTRY[name]
    taken = {case.get("exit") for case in golden_cases(name)}
    taken |= {"returned" for case in golden_cases(name) if "sub_flow" in case}
    assert taken, "no golden cases"
    assert {exit_name for exit_name in cls.MEANINGS if not exit_name.startswith("*")} <= taken
    if cls.MORE_EXITS:
        assert taken - {None, *cls.EXITS}


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_in_a_golden_case(name: str) -> None:
    used = {key for case in golden_cases(name) for key in case["node"]}
    assert {each.name for each in fields(REGISTRY[name])} <= used  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_describes_every_field(name: str) -> None:
    described = flow_schema()["$defs"][f"node.{name}"]["properties"]
    assert set(described) == {"type", "exits", *(each.name for each in fields(REGISTRY[name]))}  # type: ignore[arg-type]
    assert all("description" in each or "const" in each for each in described.values())


@pytest.mark.parametrize("name", TYPES)
def test_the_reference_page_is_current(name: str) -> None:
    assert pages.page(REGISTRY[name], page(name)) == page(name), "run python -m ivr_flows.pages"


@pytest.mark.parametrize("name", TYPES)
def test_when_each_exit_is_taken_is_said(name: str) -> None:
    cls = REGISTRY[name]
    assert set(cls.EXITS) <= set(cls.MEANINGS)
    assert bool(set(cls.MEANINGS) - set(cls.EXITS)) == cls.MORE_EXITS
    assert all(cls.MEANINGS.values())


@pytest.mark.parametrize("name", TYPES)
def test_the_documentation_names_every_field_and_exit(name: str) -> None:
    text = page(name)
    for each in (*(each.name for each in fields(REGISTRY[name])), *REGISTRY[name].EXITS):  # type: ignore[arg-type]
        assert f"| `{each}` |" in text


@pytest.mark.parametrize("name", TYPES)
def test_the_documented_defaults_are_the_real_ones(name: str) -> None:
    described = flow_schema()["$defs"][f"node.{name}"]
    for field, schema in described["properties"].items():
        if field in ("type", "exits"):
            continue
        row = next(line for line in page(name).splitlines() if line.startswith(f"| `{field}` |"))
        default = row.split("|")[3].strip()
        if field in described["required"]:
            assert default == "required"
        else:
            assert default == f"`{json.dumps(schema.get('default', {}))}`"


@pytest.mark.parametrize("name", TYPES)
def test_a_node_stays_short(name: str) -> None:
    assert len(inspect.getsource(REGISTRY[name]).splitlines()) <= 120


class TestContract:
    def test_a_type_is_entered_once(self) -> None:
        registry: dict[str, type[Node]] = {}
        node("beep", exits={"next": "always"}, registry=registry)(Beep)
        with pytest.raises(TypeError, match="exists already"):
            node("beep", exits={"next": "always"}, registry=registry)(Beep)

    def test_it_must_be_a_frozen_dataclass(self) -> None:
        @dataclass
        class Soft(Node):
            """Not frozen."""

            def run(self, call: Call) -> NodeRun:
                raise NotImplementedError

        with pytest.raises(TypeError, match="frozen dataclass"):
            node("soft", exits={}, registry={})(Soft)

    def test_it_must_run(self) -> None:
        @dataclass(frozen=True)
        class Idle(Node):
            """Does nothing."""

        with pytest.raises(TypeError, match="has no run"):
            node("idle", exits={}, registry={})(Idle)

    def test_it_must_say_what_it_is_for(self) -> None:
        @dataclass(frozen=True)
        class Silent(Node):
            def run(self, call: Call) -> NodeRun:
                raise NotImplementedError

        with pytest.raises(TypeError, match="no docstring"):
            node("silent", exits={}, registry={})(Silent)

    def test_its_fields_must_not_hide_the_envelope(self) -> None:
        @dataclass(frozen=True)
        class Odd(Node):
            """Has a field that the envelope has."""

            exits: str  # type: ignore[assignment]

            def run(self, call: Call) -> NodeRun:
                raise NotImplementedError

        with pytest.raises(TypeError, match="the envelope's"):
            node("odd", exits={}, registry={})(Odd)


@dataclass(frozen=True)
class Beep(Node):
    """A node of the tests."""

    def run(self, call: Call) -> NodeRun:
        raise NotImplementedError
