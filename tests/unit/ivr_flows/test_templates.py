"""The templates: flawless where what they name exists, without a silent end, and every way through them has a case."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import ivr_flows
from callwright.caller.answers import lasting_ms
from callwright.caller.course import Flows
from ivr_flows import CallData, library
from ivr_flows import instructions as do
from ivr_flows.loading import report
from ivr_flows.program import run
from ivr_flows.references import references
from ivr_flows.results import Played, PlayFailed, QueueStanding, Reply
from ivr_flows.verify import WorldKind

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "golden" / "flows"
STANDING = QueueStanding(3, wait_low_s=120, wait_high_s=240)
TALKED = "finished"
"""The exit of agents, numbers and queues after a conversation."""


class World:
    """An installation with what is given, and all that comes with callwright."""

    def __init__(self, there: Mapping[WorldKind, Collection[str]]) -> None:
        self._there = there

    def names(self, kind: WorldKind) -> Collection[str] | None:
        if kind == "prompt":
            return {str(file.relative_to(library.prompts_dir())) for file in library.prompts_dir().rglob("*.wav")}
        return self._there.get(kind, ())

    def flow(self, flow: str, version: str | None) -> Mapping[str, Any] | None:
        return library.template(flow) if flow in self._there.get("flow", ()) else None


def needed(name: str) -> dict[WorldKind, set[str]]:
    """What the template's nodes name or need."""
    there: dict[WorldKind, set[str]] = {}
    for wired in ivr_flows.load(library.template(name)).nodes.values():
        if wired.node.NEEDS is not None:
            there.setdefault("feature", set()).add(wired.node.NEEDS)
        for each in references(wired.node):
            if each.kind != "prompt" and each.kind != "variable":
                there.setdefault(each.kind, set()).add(each.name)
    return there


def cases(name: str) -> list[dict[str, Any]]:
    """The golden calls that begin in the template."""
    read = (json.loads(file.read_text(encoding="utf-8")) for file in sorted((CASES / name).glob("*.json")))
    return [case for case in read if case["flows"][0] == name]


def turns(name: str) -> Iterator[dict[str, Any]]:
    for case in cases(name):
        yield from case["exchange"]


def test_every_file_is_a_template() -> None:
    assert {file.stem for file in Path(library.__file__).parent.glob("*.json")} == set(library.TEMPLATES)


@pytest.mark.req("R21")
@pytest.mark.parametrize("name", library.TEMPLATES)
def test_no_finding_where_everything_exists(name: str) -> None:
    assert ivr_flows.check(library.template(name), World({**needed(name), "voice": {"cs", "en"}})) == []


@pytest.mark.req("R21")
@pytest.mark.parametrize("name", library.TEMPLATES)
def test_an_empty_installation_is_told_what_is_missing_and_no_more(name: str) -> None:
    document = library.template(name)
    spoken = any(isinstance(each, dict) for sources in document["prompts"].values() for each in sources.values())
    wanted = {"missing_feature" if kind == "feature" else "missing_reference" for kind in needed(name)}
    found = {finding.code for finding in ivr_flows.check(document, World({}))}
    assert found == wanted | ({"no_speech"} if spoken else set())


@pytest.mark.req("R20")
@pytest.mark.parametrize("name", library.TEMPLATES)
def test_every_way_is_taken_by_a_golden_call(name: str) -> None:
    """Every edge of the picture: from each node to each that may follow, whichever exit leads there."""
    nodes = library.template(name)["nodes"]
    wired = {(node, to) for node, each in nodes.items() for to in each.get("exits", {}).values()}
    taken: set[tuple[str, str]] = set()
    for case in cases(name):
        entered = [each.split(" by ")[0] for turn in case["exchange"] for each in turn["entered"]]
        path = [each.removeprefix(f"{name}/") for each in entered if each.startswith(f"{name}/")]
        taken |= set(itertools.pairwise(path))
    assert wired - taken == set()
    assert taken - wired == set()


@pytest.mark.req("R20")
@pytest.mark.parametrize("name", library.TEMPLATES)
def test_odd_callers_and_missing_sounds_have_a_golden_call(name: str) -> None:
    types = {node["type"] for node in library.template(name)["nodes"].values()}
    ends = {case["outcome"]["end"] for case in cases(name)}
    assert "caller_gone" in ends
    assert any(turn.get("reply", {}).get("kind") == "play_failed" for turn in turns(name))
    if types & {"menu", "collect", "survey"}:
        keys = [turn["reply"]["digits"] for turn in turns(name) if turn.get("reply", {}).get("kind") == "collected"]
        assert "" in keys
        assert any(keys)
    assert "en" in {case.get("call", {}).get("language", "cs") for case in cases(name)}


@pytest.mark.parametrize("name", library.TEMPLATES)
def test_no_silent_end(name: str) -> None:
    """Before we hang up, the caller has talked with a person or has been told something."""
    nodes = library.template(name)["nodes"]
    for node, each in nodes.items():
        for taken, to in each.get("exits", {}).items():
            if nodes[to]["type"] == "hangup":
                assert taken == TALKED or each["type"] in ("play", "tts", "say"), (node, taken)


WAITING = [name for name in library.TEMPLATES if library.template(name)["kind"] == "queue_wait"]
"""What callers hear in a queue: a person ends it from outside, and the call was answered before."""
LINES = [name for name in library.TEMPLATES if name not in WAITING]


@pytest.mark.req("R30")
@pytest.mark.parametrize("name", WAITING)
def test_what_callers_hear_lasts_as_long_as_the_longest_wait(name: str) -> None:
    """Two hours; with sounds that are missing as well, where the rounds are shortest."""
    flow = ivr_flows.load(library.template(name))
    assert flow.limits.max_seconds > 7200
    for result in (Played(), PlayFailed("the file is missing")):
        program, at_ms = run(Flows({name: flow}), name, flow.version, CallData("1", "2", standing=STANDING)), 0
        step = next(program)
        while at_ms < 7_200_000:
            assert isinstance(step.instruction, do.Play)
            silent = all(isinstance(each, do.Pause) for each in step.instruction.media)
            answer = Played() if silent else result
            at_ms += lasting_ms(step.instruction, answer)
            step = program.send(Reply(answer, at_ms))
        assert isinstance(step.instruction, do.Play)


@pytest.mark.parametrize("name", LINES)
def test_a_person_is_reached_or_another_flow_entered(name: str) -> None:
    told = report(library.template(name))
    if told.to_person is not None:
        assert told.to_person.ms is not None
        assert told.to_person.ms < 240_000
    else:
        assert "goto_flow" in {node["type"] for node in library.template(name)["nodes"].values()}


@pytest.mark.parametrize("name", LINES)
def test_the_call_is_answered_before_anything_is_heard(name: str) -> None:
    """By every golden call; a caller who isn't answered hears what the network makes of it, or nothing."""
    for case in cases(name):
        asked = [turn["expect"]["op"] for turn in case["exchange"]]
        heard = [at for at, op in enumerate(asked) if op in ("play", "collect", "enqueue", "record_message")]
        assert not heard or "answer" in asked[: heard[0]]


@pytest.mark.parametrize("name", library.TEMPLATES)
def test_documented(name: str) -> None:
    """Its section names all that must be there, so that who takes it knows what to make or to rename."""
    _, _, rest = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8").partition(f"\n## {name}\n")
    section = rest.partition("\n## ")[0]
    named = {each for kind, names in needed(name).items() if kind != "feature" for each in names}
    mailboxes = {node["mailbox"] for node in library.template(name)["nodes"].values() if node["type"] == "voicemail"}
    missing = {each for each in named | mailboxes if f"`{each}`" not in section}
    assert section
    assert not missing
