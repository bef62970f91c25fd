"""The scenario of a simulation: what the file may say, and everything that is wrong with one.

ScenarioInvalid     `faults` has all of them as `place: what is wrong and how to mend it`
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from callwright.simulate.draws import Distribution, Strict
from engine.domain.acd import MAX_PRIORITY, MAX_RINGS, MAX_SKILL, QueueRules, Ring, Strategy, Tier
from engine.domain.routing import QueueEntry

SCENARIOS = Path(__file__).parent / "scenarios"
LONGEST_H = 24 * 366
LARGEST_BYTES = 10_000_000
MOST_FAULTS = 20
T = TypeVar("T")
_DURATIONS = ("handling_s", "patience_s", "answer_s")

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Hours = Annotated[float, Field(ge=0, le=LONGEST_H)]
Moment = Annotated[float, Field(ge=0, le=LONGEST_H * 3600)]
Skills = dict[str, Annotated[int, Field(ge=1, le=MAX_SKILL)]]


class ScenarioInvalid(Exception):
    """The scenario can't be run."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Arrivals(Strict):
    """From this hour on so many calls come in an hour, at random moments."""

    from_h: Hours
    per_hour: Annotated[float, Field(ge=0, le=1_000_000)]


class SkillRing(Strict):
    """What is asked for after so long a wait: skills and their least levels."""

    after_s: Annotated[float, Field(ge=0, le=86_400)]
    skills: Skills


class Callers(Strict):
    """A kind of caller. `share` counts against the shares of the queue's other kinds."""

    share: Annotated[float, Field(gt=0)] = 1.0
    priority: Annotated[float, Field(ge=0, le=MAX_PRIORITY)] = 0.0
    rings: Annotated[tuple[SkillRing, ...], Field(min_length=1, max_length=MAX_RINGS)] = (
        SkillRing(after_s=0, skills={}),
    )

    def asks(self) -> tuple[Ring, ...]:
        """As the matcher wants it."""
        return tuple(Ring(round(each.after_s * 1000), each.skills) for each in self.rings)


class Queue(Strict):
    """A queue: its settings in the words of docs/queues.md, who calls, how long they wait and talk.

    Either `arrivals` or `arrivals_s`, the moments at which callers come. `patience_s` null: nobody gives up. Whoever
    comes when `max_waiting` wait, or has waited for `max_wait_s`, goes another way: null for no limit.
    """

    id: Id
    strategy: Strategy = Strategy.LONGEST_IDLE
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ageing_per_min: Annotated[float, Field(ge=0, le=1000)] = 1.0
    tier_wait_s: Annotated[int, Field(ge=0, le=86_400)] = 15
    ring_s: Annotated[int, Field(ge=1, le=600)] = 20
    wrap_up_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    max_waiting: Annotated[int | None, Field(ge=1)] = None
    max_wait_s: Annotated[int | None, Field(ge=1)] = None
    arrivals: Annotated[tuple[Arrivals, ...], Field(min_length=1)] = ()
    arrivals_s: Annotated[tuple[Moment, ...] | None, Field(min_length=1)] = None
    callers: Annotated[tuple[Callers, ...], Field(min_length=1)] = (Callers(),)
    handling_s: Distribution
    patience_s: Distribution | None

    def rules(self) -> QueueRules:
        """As the matcher wants them."""
        own = ("id", "strategy", "weight", "ageing_per_min", "tier_wait_s", "ring_s", "wrap_up_s")
        return QueueEntry(name=self.id, **{name: getattr(self, name) for name in own}).rules(is_open=True)


class BreakTime(Strict):
    """A break. It begins when the call of that moment and its wrap-up are over, and is as long as planned all the same.

    `stagger_min`: by so many minutes later each next agent of the group goes, so that not all are away at once.
    """

    at_h: Hours
    minutes: Annotated[float, Field(gt=0, le=1440)]
    stagger_min: Annotated[float, Field(ge=0, le=1440)] = 0.0

    def begins_h(self, number: int) -> float:
        """When it begins for the agent of this number in his group, from 0."""
        return self.at_h + number * self.stagger_min / 60

    def ends_h(self, number: int) -> float:
        """When it would end if it began on time."""
        return self.begins_h(number) + self.minutes / 60


class Shift(Strict):
    """From when until when agents are logged in. `to_h` null: to the end, until nobody waits any more."""

    from_h: Hours = 0.0
    to_h: Hours | None = None
    breaks: tuple[BreakTime, ...] = ()


class Place(Strict):
    """An agent's tier in a queue."""

    level: Annotated[int, Field(ge=1, le=100)] = 1
    position: Annotated[int, Field(ge=1, le=100_000)] = 1

    def tier(self) -> Tier:
        """As the matcher wants it."""
        return Tier(self.level, self.position)


class Agents(Strict):
    """So many agents who are alike. `answer_s`: how long one needs to answer; where that is longer than the queue's
    `ring_s` the offer stays unanswered, and he is on a break for `away_s` (R53)."""

    id: Id
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    queues: Annotated[dict[str, Place], Field(min_length=1)]
    skills: Annotated[Skills, Field(default_factory=dict)]
    shifts: Annotated[tuple[Shift, ...], Field(min_length=1)] = (Shift(),)
    answer_s: Distribution | None = None
    away_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0


class Scenario(Strict):
    """A contact centre and its day. Hours are counted from its beginning.

    Calls come for `hours`; those who wait then are still served. Of the first `warm_up_h` nothing is counted: a centre
    that begins empty is not yet what it is in the long run.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    about: str = ""
    hours: Annotated[float, Field(gt=0, le=LONGEST_H)]
    warm_up_h: Hours = 0.0
    service_level_s: Annotated[float, Field(gt=0, le=3600)] = 20.0
    queues: Annotated[tuple[Queue, ...], Field(min_length=1)]
    agents: Annotated[tuple[Agents, ...], Field(min_length=1)]


def shipped() -> dict[str, Path]:
    """The scenarios that come with callwright, by name."""
    return {path.stem: path for path in sorted(SCENARIOS.glob("*.json"))}


def load(source: str) -> Scenario:
    """A file, or a shipped scenario by its name. Raises ScenarioInvalid."""
    path = Path(source)
    if not path.exists() and source in shipped():
        path = shipped()[source]
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ScenarioInvalid([f"{source}: more than {LARGEST_BYTES} bytes, which is no scenario"])
        return read(path.read_text(encoding="utf-8-sig"), source)
    except FileNotFoundError:
        raise ScenarioInvalid([f"{source}: no such file; shipped scenarios: {', '.join(shipped())}"]) from None
    except OSError as error:
        raise ScenarioInvalid([f"{source}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ScenarioInvalid([f"{source}: is not UTF-8 text (byte {error.start}); save it as UTF-8"]) from None


def read(text: str, source: str = "scenario") -> Scenario:
    """The scenario in a JSON text. Raises ScenarioInvalid with all faults, each with its place."""
    try:
        document = json.loads(text)
        scenario = Scenario.model_validate_json(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ScenarioInvalid([f"{source}: is no JSON: {where}: {error.msg}"]) from None
    except RecursionError:
        raise ScenarioInvalid([f"{source}: is nested too deeply for a scenario"]) from None
    except ValidationError as error:
        # pydantic calls a list too short whose items are wrong.
        found = [each for each in error.errors() if each["type"] != "too_short" or not each["input"]]
        faults = [f"{source}: {_place(document, each)}{_said(each)}" for each in found]
        faults += [f"{source}: {fault}" for fault in _unknown_queues(document)]
    else:
        faults = [f"{source}: {fault}" for fault in (*_contradictions(scenario), *_unknown_queues(document))]
    if not faults:
        return scenario
    more = len(faults) - MOST_FAULTS
    raise ScenarioInvalid(faults[:MOST_FAULTS] + ([f"{source}: and {more} more"] if more > 0 else []))


def _place(document: Any, found: Mapping[str, Any]) -> str:
    """The way to the fault, without what is in pydantic's alone: the kind of a distribution."""
    place, at = "", document
    for number, step in enumerate(found["loc"]):
        missing = found["type"] == "missing" and number == len(found["loc"]) - 1
        if isinstance(at, Mapping) and (step in at or missing):
            place, at = f"{place}.{step}", at.get(step)
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            place, at = f"{place}[{step}]", at[step]
    return f"{place.lstrip('.')}: " if place else ""


def _said(found: Mapping[str, Any]) -> str:
    loc, kind = found["loc"], found["type"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        known = _known(found["loc"])
        near = difflib.get_close_matches(str(loc[-1]), known, 1)
        return f"is not known here; {f'is {near[0]} meant?' if near else 'possible are: ' + ', '.join(known)}"
    if kind.startswith("union_tag_") or (kind == "dict_type" and loc[-1] in _DURATIONS):
        kinds = "constant, exponential, lognormal, uniform or values"
        shown = f" (kind is {json.dumps(found['ctx']['tag'])[:60]})" if kind == "union_tag_invalid" else ""
        return f"must be an object with a kind ({kinds}), as in docs/simulation.md{shown}"
    if kind == "too_short":
        return "must not be empty"
    message = str(found["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    value = found["input"]
    shown = f" (is {json.dumps(value)[:60]})" if isinstance(value, str | int | float | bool) or value is None else ""
    return message + shown


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the model that the way leads to."""
    from callwright.simulate import draws

    models: dict[str | int, type[BaseModel]] = {
        "arrivals": Arrivals, "rings": SkillRing, "callers": Callers, "breaks": BreakTime,
        "shifts": Shift, "constant": draws.Constant, "exponential": draws.Exponential, "lognormal": draws.Lognormal,
        "uniform": draws.Uniform, "values": draws.Values,
    }  # fmt: skip
    way = loc[:-1]
    model: type[BaseModel] = Scenario
    for number, step in enumerate(way):
        if step == "queues" and way[0] == "agents" and number > 0:
            model = Place
        elif step in ("queues", "agents") and number == 0:
            model = Queue if step == "queues" else Agents
        else:
            model = models.get(step, model)
    return list(model.model_fields)


def _contradictions(scenario: Scenario) -> Iterator[str]:
    if scenario.warm_up_h >= scenario.hours:
        yield f"warm_up_h: must be less than hours, {scenario.hours:g}, or nothing is counted"
    queues = [queue.id for queue in scenario.queues]
    yield from _twice("queues", queues)
    yield from _twice("agents", [each.id for each in scenario.agents])
    for number, queue in enumerate(scenario.queues):
        here = f"queues[{number}] ({queue.id})"
        yield from _bad_arrivals(here, queue, scenario.hours)
        for kind, callers in enumerate(queue.callers):
            after = [each.after_s for each in callers.rings]
            if after[0] != 0 or not _rises(after):
                yield f"{here}.callers[{kind}].rings: after_s must begin with 0 and grow"
        if not any(queue.id in agents.queues for agents in scenario.agents):
            yield f"{here}: no agent serves it; add it to the queues of agents"
    for number, agents in enumerate(scenario.agents):
        here = f"agents[{number}] ({agents.id})"
        yield from _bad_shifts(here, agents.shifts, agents.count)


def _unknown_queues(document: Any) -> Iterator[str]:
    """Agents' queues that are not there; asked of the document, so that other faults don't hide them."""
    ids = [_in(each, "id", str) for each in _in(document, "queues", list) or ()]
    if not ids or None in ids:
        return  # which ones there are is not known before that is mended
    for number, group in enumerate(_in(document, "agents", list) or ()):
        named = f" ({group['id']})" if _in(group, "id", str) else ""
        for queue_id in _in(group, "queues", dict) or ():
            if queue_id not in ids:
                known = ", ".join(map(str, ids))
                yield f"agents[{number}]{named}.queues: there is no queue {queue_id!r}; queues are: {known}"


def _in(document: Any, name: str, kind: type[T]) -> T | None:
    """This part of the document, if it is there and of this kind."""
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, kind) else None


def _bad_arrivals(here: str, queue: Queue, hours: float) -> Iterator[str]:
    if bool(queue.arrivals) == (queue.arrivals_s is not None):
        yield f"{here}: must have either arrivals or arrivals_s, to say when callers come"
    if queue.arrivals and queue.arrivals[0].from_h != 0:
        yield f"{here}.arrivals[0].from_h: the first interval must begin at 0"
    if not _rises([each.from_h for each in queue.arrivals]):
        yield f"{here}.arrivals: each interval must begin later than the one before"
    if queue.arrivals_s is not None and max(queue.arrivals_s) >= hours * 3600:
        yield f"{here}.arrivals_s: {max(queue.arrivals_s):g} s is not within the scenario's {hours:g} h"


def _bad_shifts(here: str, shifts: tuple[Shift, ...], agents: int) -> Iterator[str]:
    over_h = 0.0
    for number, shift in enumerate(shifts):
        end_h = inf if shift.to_h is None else shift.to_h
        if end_h <= shift.from_h:
            yield f"{here}.shifts[{number}]: to_h must be later than from_h"
        if shift.from_h < over_h:
            yield f"{here}.shifts[{number}]: must begin after the end of the one before"
        over_h = end_h
        for agent in (0, agents - 1):
            if not _in_turn(shift, agent, end_h):
                each = f"for agent {agent + 1} of the group (stagger_min)" if agent else "in order"
                yield f"{here}.shifts[{number}].breaks: must lie within the shift and not overlap, {each}"
                break


def _in_turn(shift: Shift, agent: int, end_h: float) -> bool:
    over_h = shift.from_h
    for each in shift.breaks:
        if each.begins_h(agent) < over_h:
            return False
        over_h = each.ends_h(agent)
    return over_h <= end_h


def _twice(where: str, ids: list[str]) -> Iterator[str]:
    for each in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"{where}: the id {each!r} is there twice; ids must differ"


def _rises(moments: list[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(moments))
