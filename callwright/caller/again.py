"""A finished call once more, from its journal: what happened when, and where a flow would do something else today."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.domain.call import CallFacts, JsonObject
from engine.domain.journal import (
    FORMAT,
    Attached,
    Ended,
    Entry,
    InstructionGiven,
    LegEvent,
    QueueEvent,
    RecordingEvent,
    ResultCame,
    Started,
)
from engine.session.facts import call_data
from ivr_flows import codec
from ivr_flows.flow import Flow
from ivr_flows.instructions import NodeEntered, Step
from ivr_flows.program import FlowOutcome, run
from ivr_flows.results import CallerGone, Reply

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


class JournalUnusable(ValueError):
    """These entries are no journal that could be run again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: ms since the call came, at which node, and of what kind."""

    ms: int
    flow: str
    node: str
    kind: str
    detail: JsonObject


@dataclass(frozen=True, slots=True)
class Asked:
    """What a flow asked for, and the nodes (`flow/node`, with the exit before it) that were entered before."""

    entered: tuple[str, ...]
    instruction: JsonObject | None
    end: str = ""
    """Where nothing was asked for: how the flow's part of the call ended."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two part: the number of the step, from 0, when it was given, and what either asks for."""

    step: int
    ms: int
    recorded: Asked
    now: Asked


class Recorded:
    """A call's journal. Raises JournalUnusable."""

    def __init__(self, entries: Iterable[Any]) -> None:
        self.entries = [self._entry(each, number) for number, each in enumerate(entries, 1)]
        first = self.entries[0].event if self.entries else None
        if not isinstance(first, Started):
            raise JournalUnusable("the journal doesn't begin with the entry 'started'")
        if first.format > FORMAT:
            raise JournalUnusable(f"the journal is of format {first.format}; this release reads {FORMAT} and older")
        self.facts: CallFacts = first.facts
        self.given = {each.step: each for each in self._of(InstructionGiven)}
        self.results = {each.step: each for each in self._of(ResultCame)}
        self.ended: Ended | None = next(iter(self._of(Ended)), None)

    @staticmethod
    def _entry(content: Any, number: int) -> Entry:
        try:
            entry = _ENTRY.validate_python(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise JournalUnusable(f"entry {number} is no entry of a journal: {place}: {first['msg']}") from None
        if entry.n != number:
            raise JournalUnusable(f"entry {number} is missing: entry {entry.n} stands in its place")
        return entry

    def _of(self, kind: type) -> Iterator[Any]:
        return (entry.event for entry in self.entries if isinstance(entry.event, kind))

    @property
    def versions(self) -> tuple[tuple[str, str], ...]:
        """The flows that the call came into, each with its version; that of the call itself first."""
        if not self.facts.flow:
            return ()
        entered = [(each["flow"], each["version"]) for given in self.given.values() for each in given.entered]
        return tuple(dict.fromkeys([(self.facts.flow, self.facts.flow_version), *entered]))

    def events(self) -> Iterator[Event]:
        """The time line. An instruction and its result are two events."""
        flow = node = ""
        began_ms = self.entries[0].at_ms
        for entry in self.entries:
            event = entry.event
            if isinstance(event, InstructionGiven):
                for each in event.entered:
                    flow, node = each["flow"], each["node"]
                    yield Event(entry.at_ms - began_ms, flow, node, "node", {"by": each.get("exit")})
            yield Event(entry.at_ms - began_ms, flow, node, event.kind, _detail(event))


def _detail(event: Any) -> JsonObject:
    match event:
        case Started(facts=facts):
            return {"did": facts.did, "ani": facts.ani, "flow": facts.flow, "version": facts.flow_version}
        case InstructionGiven(instruction=instruction):
            return instruction
        case ResultCame(result=result):
            return result
        case Attached() | LegEvent() | RecordingEvent() | Ended():
            return {name: value for name, value in asdict(event).items() if name != "kind" and value not in ("", None)}
        case QueueEvent(event="told", queue=queue, position=position):
            return {"event": "told", "queue": queue, "position": position}
        case QueueEvent(event=what, queue=queue, offer=offer, agents=agents):
            of_offer = {"offer": offer, "agents": list(agents)} if what != "joined" else {}
            return {"event": what, "queue": queue, **of_offer}
    return {}


class Versions:
    """Flows for the second run: those given in place of the recorded ones by id, else the recorded ones.

    `ivr_flows.FlowSource`.
    """

    def __init__(self, given: Mapping[str, Flow], kept: Mapping[tuple[str, str], Flow]) -> None:
        self._given = given
        self._kept = kept

    def get(self, flow_id: str, version: str) -> Flow:
        found = self._given.get(flow_id) or self._kept.get((flow_id, version))
        if found is None:
            raise LookupError(f"the flow {flow_id} at version {version} is not given")
        return found


def first_difference(recorded: Recorded, flows: Versions) -> Difference | None:
    """Run the call again with the recorded results; None: it asks for the same to the end.

    The versions of flows don't count, only what they do. Raises JournalUnusable.
    """
    facts = recorded.facts
    program = run(flows, facts.flow, facts.flow_version, call_data(facts))
    gone = False
    number, now = 0, _advance(lambda: next(program))
    while True:
        given = recorded.given.get(number)
        if given is None and (gone or recorded.ended is None):
            return None  # an engine that died, or a call that goes on, left no more to compare with
        if (found := _compare(recorded, number, given, now)) is not None:
            return found
        if not isinstance(now, Step):
            return None
        came = recorded.results.get(number)
        if came is not None:
            reply = Reply(_loaded(number, codec.load_result, came.result), came.at_ms)
            now = _advance(lambda reply=reply: program.send(reply))  # type: ignore[misc]
        elif recorded.ended is None:
            return None
        else:
            gone, end = True, CallerGone(recorded.ended.cause)
            now = _advance(lambda end=end: program.throw(end))  # type: ignore[misc]
        number += 1


def _advance(go_on: Callable[[], Step]) -> Step | FlowOutcome | None:
    try:
        return go_on()
    except StopIteration as stop:
        outcome: FlowOutcome | None = stop.value
        return outcome


def _compare(
    recorded: Recorded, number: int, given: InstructionGiven | None, now: Step | FlowOutcome | None
) -> Difference | None:
    if given is None:
        end = f"the call ended: {recorded.ended.cause}" if recorded.ended else ""
        then = Asked((), None, end)
    else:
        nodes = [_loaded(number, codec.load_entered, each) for each in given.entered]
        instruction = codec.dump_instruction(_loaded(number, codec.load_instruction, given.instruction))
        then = Asked(tuple(map(_entered, nodes)), instruction)
    if isinstance(now, Step):
        today = Asked(tuple(map(_entered, now.entered)), codec.dump_instruction(now.instruction))
    else:
        reason = f": {now.cause}, {now.reason}" if now is not None else ""
        today = Asked((), None, f"the flow ended{reason}".rstrip(", "))
    if (then.entered, then.instruction) == (today.entered, today.instruction):
        return None
    return Difference(number, _when(recorded, number), then, today)


def _when(recorded: Recorded, number: int) -> int:
    """When the step was given; where it never was, when the call ended."""
    for entry in recorded.entries:
        if isinstance(entry.event, InstructionGiven) and entry.event.step == number:
            return entry.at_ms - recorded.entries[0].at_ms
    return recorded.entries[-1].at_ms - recorded.entries[0].at_ms


def _loaded(number: int, load: Callable[[JsonObject], Any], content: JsonObject) -> Any:
    try:
        return load(content)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise JournalUnusable(f"step {number} holds what this release doesn't know: {message}") from None


def _entered(node: NodeEntered) -> str:
    return f"{node.flow}/{node.node}" + (f" by {node.exit}" if node.exit else "")
