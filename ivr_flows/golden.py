"""Golden cases: what a node or a whole flow asks for, given the facts of a call and the answers to each instruction.

    python -m ivr_flows.golden [--update] file-or-directory …

A case is a JSON object. It holds either `node` (a node without its exits; `flow` may give prompts, variables and so on
around it, `passes` how often the flow has come to it) or `flows` (documents, or names of templates; the first one is
entered). `call` gives the facts. `exchange` lists what is asked (`expect`) and what is answered: `reply` with `at_ms`
and, for who waits in a queue, `standing`; or `caller_gone` with the cause. The end is `exit` (or `next_flow`,
`sub_flow`), `variables`, `attributes` and `language` for a node, `outcome` for flows. A case with `document`, and
`world` if one is needed, tells the `findings` of an upload. Whatever a case holds is compared; `--update` writes what
happens now in place of what was expected.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ivr_flows import codec, library
from ivr_flows.call import CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Instruction, NodeEntered, Step
from ivr_flows.loading import check, load
from ivr_flows.node import REGISTRY, NextFlow, Return, SubFlow
from ivr_flows.program import FlowOutcome, run
from ivr_flows.results import CallerGone, QueueStanding, Reply
from ivr_flows.salvage import read_node

JsonObject = dict[str, Any]
_ANSWER = ("reply", "at_ms", "standing", "caller_gone")
_CALL: JsonObject = {"did": "+420222333444", "ani": "+420601234567"}


class GoldenError(AssertionError):
    """The case itself is wrong, or has too few or too many replies."""


def rehearse(case: JsonObject) -> JsonObject:
    """The case with everything that was expected replaced by what happens. Equal to the case when it holds.

    Raises `GoldenError` for a field that means nothing, for replies that nobody asked for, and where one is missing.
    """
    kind = next((name for name in _KINDS if name in case), "flows")
    known, play = _KINDS[kind]
    if set(case) - known or not case.get("about"):
        raise GoldenError(f"unknown fields {sorted(set(case) - known)}, or 'about' is missing")
    return play(case)


def _rehearse_node(case: JsonObject) -> JsonObject:
    flow, data = around(case["node"], case.get("flow", {})), facts(case)
    call = flow.begin(data, data.language, dict(data.attributes))
    call.passes = case.get("passes", 1)
    defaults = dict(call.variables)
    exchange, end = _converse(flow.nodes["node"].node.run(call), case["exchange"], _instruction_only)
    happened: JsonObject = {key: case[key] for key in ("about", "node", "flow", "call", "passes") if key in case}
    happened["exchange"] = exchange
    if isinstance(end, NextFlow | SubFlow):
        happened["next_flow" if isinstance(end, NextFlow) else "sub_flow"] = dataclasses.asdict(end)
    else:
        happened["exit"] = "return" if isinstance(end, Return) else end
    if call.variables != defaults:
        happened["variables"] = call.variables
    if call.attributes != dict(data.attributes):
        happened["attributes"] = call.attributes
    if call.chosen_language:
        happened["language"] = call.chosen_language
    return happened


def facts(case: JsonObject) -> CallData:
    """The facts of the case's call; those that it doesn't give are the same in all cases."""
    given = {**_CALL, **case.get("call", {})}
    return CallData(**{**given, "standing": _standing(given)})


def _standing(given: JsonObject) -> QueueStanding | None:
    return QueueStanding(**given["standing"]) if "standing" in given else None


def around(node: JsonObject, flow: JsonObject) -> Flow:
    """A flow with only this node, each of whose exits leads to a hangup."""
    cls = REGISTRY[node["type"]]
    try:
        names = read_node(cls, node).exits()
    except ValidationError as error:
        raise GoldenError(str(error)) from None
    kind = "inbound" if "inbound" in cls.KINDS else min(cls.KINDS)
    document: JsonObject = {
        "schema": "callwright/flow/1",
        "id": "case",
        "name": "case",
        "kind": kind,
        "languages": ["cs"],
        **flow,
        "entry": "node",
        "nodes": {"node": {**node, "exits": dict.fromkeys(names, "end")}, "end": {"type": "hangup"}},
    }
    if not names:
        document["nodes"] = {"node": node}
    return _flawless(document)


def _flawless(document: Mapping[str, Any]) -> Flow:
    """The flow, in which nothing may be unused either."""
    if findings := check(document):
        raise GoldenError("\n".join(str(finding) for finding in findings))
    return load(document)


class _Flows:
    """The case's flows by id; a case names no versions."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._flows = {flow.id: flow for flow in flows}

    def get(self, flow_id: str, version: str) -> Flow:
        return self._flows[flow_id]


def _rehearse_flows(case: JsonObject) -> JsonObject:
    flows = [_flawless(library.template(each) if isinstance(each, str) else each) for each in case["flows"]]
    data = facts(case)
    program = run(_Flows(flows), flows[0].id, flows[0].version, data)
    exchange, end = _converse(program, case["exchange"], _step_and_nodes)
    happened: JsonObject = {key: case[key] for key in ("about", "flows", "call") if key in case}
    happened["exchange"] = exchange
    happened["outcome"] = _outcome(end)
    return happened


def _outcome(end: Any) -> JsonObject:
    if not isinstance(end, FlowOutcome):
        raise GoldenError(f"the program ended with {end!r}")
    outcome = dataclasses.asdict(end)
    del outcome["version"]
    return outcome


def _converse(running: Generator[Any, Any, Any], exchange: Sequence[JsonObject], told: Any) -> tuple[list[Any], Any]:
    """Answer each instruction in turn. Gives what happened, and what the generator returned at its end."""
    happened: list[JsonObject] = []
    try:
        asked = next(running)
        for number, turn in enumerate(exchange):
            if set(turn) - {"entered", "expect", *_ANSWER}:
                raise GoldenError(f"turn {number} has unknown fields: {sorted(turn)}")
            answer: JsonObject = {key: turn[key] for key in _ANSWER if key in turn}
            happened.append({**told(asked), **answer})
            asked = _answer(running, asked, answer)
    except StopIteration as stop:
        if len(happened) < len(exchange):
            raise GoldenError(f"it ended after {len(happened)} turns of {len(exchange)}") from None
        return happened, stop.value
    except CallerGone:
        return happened, None
    raise GoldenError(f"there is no reply to {told(asked)}")


def _answer(running: Generator[Any, Any, Any], asked: Any, answer: JsonObject) -> Any:
    if "caller_gone" in answer:
        return running.throw(CallerGone(answer["caller_gone"]))
    result = codec.load_result(answer["reply"])
    reply = Reply(result, answer.get("at_ms", 0), _standing(answer))
    return running.send(reply if isinstance(asked, Step) else result)


def without_defaults(instruction: Instruction) -> JsonObject:
    """The instruction as an object, without the fields that have their default value."""
    dumped = codec.dump_instruction(instruction)
    kept = {"op": dumped["op"]}
    for each in dataclasses.fields(instruction):
        if each.name != "op" and getattr(instruction, each.name) != each.default:
            kept[each.name] = dumped[each.name]
    return kept


def _instruction_only(instruction: Instruction) -> JsonObject:
    return {"expect": without_defaults(instruction)}


def _step_and_nodes(step: Step) -> JsonObject:
    return {"entered": [_entered(each) for each in step.entered], **_instruction_only(step.instruction)}


def _entered(each: NodeEntered) -> str:
    """`main/menu`, or `main/menu by done`."""
    return f"{each.flow}/{each.node}" + (f" by {each.exit}" if each.exit else "")


class _World:
    """The case's world; what it doesn't name isn't known. A flow may be given by its document in place of its id."""

    def __init__(self, names: Mapping[str, Sequence[Any]]) -> None:
        documents: list[JsonObject] = [each for each in names.get("flow", ()) if isinstance(each, dict)]
        self._flows = {each["id"]: each for each in documents}
        self._names = {
            kind: [each["id"] if isinstance(each, Mapping) else each for each in there] for kind, there in names.items()
        }

    def names(self, kind: str) -> Sequence[str] | None:
        return self._names.get(kind)

    def flow(self, flow: str, version: str | None) -> JsonObject | None:
        return self._flows.get(flow) if version is None else None


def _rehearse_check(case: JsonObject) -> JsonObject:
    world = _World(case["world"]) if "world" in case else None
    happened: JsonObject = {key: case[key] for key in ("about", "document", "world") if key in case}
    findings = [dataclasses.asdict(finding) for finding in check(case["document"], world)]
    happened["findings"] = [{**finding, "path": list(finding["path"])} for finding in findings]
    return happened


_KINDS: dict[str, tuple[set[str], Callable[[JsonObject], JsonObject]]] = {
    "node": (
        {
            *("about", "node", "flow", "call", "passes", "exchange", "exit", "next_flow", "sub_flow"),
            *("variables", "attributes", "language"),
        },
        _rehearse_node,
    ),
    "flows": ({"about", "flows", "call", "exchange", "outcome"}, _rehearse_flows),
    "document": ({"about", "document", "world", "findings"}, _rehearse_check),
}


def main(arguments: Sequence[str]) -> int:
    """0 when all cases hold or were updated."""
    options = argparse.ArgumentParser(prog="ivr_flows.golden", description="Play golden cases of flows.")
    options.add_argument("--update", action="store_true", help="write what happens now into the cases")
    options.add_argument("places", nargs="+", type=Path)
    given = options.parse_args(arguments)
    failed = 0
    for file in sorted(
        file for place in given.places for file in ([place] if place.is_file() else place.rglob("*.json"))
    ):
        case = json.loads(file.read_text(encoding="utf-8"))
        try:
            happened = rehearse(case)
        except GoldenError as error:
            print(f"{file}: {error}")
            failed += 1
            continue
        if happened != case and given.update:
            file.write_text(json.dumps(happened, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        elif happened != case:
            print(f"{file}: something else happens; see with --update and the difference in the file")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
