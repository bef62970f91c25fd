"""A scenario from the records of a system: callers as they came, agents as they were at work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from callwright.simulate.experiment import ALL
from callwright.simulate.records import Json, Records, RecordsUnusable, Visit
from callwright.simulate.rosters import Day, day
from callwright.simulate.tally import Figures, QueueTally
from engine.domain.call import QueueOutcome
from engine.domain.routing import QueueEntry

FEW = 30
"""Fewer talks, or callers who gave up, make poor figures; it is said."""

_GAVE_UP = (QueueOutcome.ABANDONED, QueueOutcome.ABANDONED_RINGING, QueueOutcome.KEY)
_NOT_LET_IN = (QueueOutcome.CLOSED, QueueOutcome.NO_AGENTS, QueueOutcome.ERROR)
_SETTINGS = ("strategy", "weight", "ageing_per_min", "tier_wait_s", "ring_s", "max_waiting", "max_wait_s")
_USUAL = QueueEntry(id="", name="")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A scenario as its file has it, what was so: figures of queues and groups of agents; and what is to be said."""

    document: dict[str, Any]
    queues: Mapping[str, Figures]
    agents: Mapping[str, Figures]
    notes: Sequence[str]


def scenario_of(records: Records, name: str) -> Recorded:
    """Raises RecordsUnusable where there are no talks, or nobody was at work."""
    days = {agent: day(events, records.begins_ms, records.hours) for agent, events in records.events.items()}
    days = {agent: found for agent, found in days.items() if found.shifts}
    notes: list[str] = []
    waited = [each for each in records.visits if each.wait_ms or each.outcome not in _NOT_LET_IN]
    if len(waited) < len(records.visits):
        turned_away = len(records.visits) - len(waited)
        notes.append(f"callers left out, as their queue was closed or nobody was logged in: {turned_away}")
    tiers = {agent: _tiers(agent, records, waited) for agent in days}
    notes += _unknown(records, days)
    kept = {}
    for queue in sorted({each.queue for each in waited}):
        visits = [each for each in waited if each.queue == queue]
        if any(queue in theirs for theirs in tiers.values()):
            kept[queue] = visits
        else:
            notes.append(f"queue {queue} is left out: no agent of it was at work; callers: {len(visits)}")
    if not kept:
        raise RecordsUnusable("no agent was logged in for the calls of this time; give another --since or more --hours")
    talks_s = [each.talk_ms / 1000 for each in chain.from_iterable(kept.values()) if each.talk_ms]
    if not talks_s:
        raise RecordsUnusable(
            "no caller was answered, so it is not known how long calls last; give another --since or more --hours "
            f"(callers: {sum(map(len, kept.values()))})"
        )
    within_s = _service_level(kept, records, notes)
    agents = list(_agents(kept, records, days, tiers))
    document = {
        "name": name,
        "about": f"From {records.calls} recorded calls.",
        "hours": records.hours,
        "service_level_s": within_s,
        "agents": agents,  # first, for whoever looks in the file for what to change
        "queues": [_queue(queue, visits, records, days, talks_s, notes) for queue, visits in kept.items()],
    }
    at_work = {group["id"]: days[group["id"]] for group in agents}
    return Recorded(document, _queue_figures(kept, within_s * 1000), _agent_figures(at_work), notes)


# Queues


def _queue(
    queue: str, visits: Sequence[Visit], records: Records, days: Mapping[str, Day], all_s: list[float], notes: list[str]
) -> dict[str, Any]:
    settings = records.queues.get(queue, {})
    if not settings:
        notes.append(f"queue {queue} is no longer there: its settings are taken to be the usual ones")
    wrap_ups_s = list(chain.from_iterable(each.wrap_ups.get(queue, ()) for each in days.values()))
    talks_s = [each.talk_ms / 1000 for each in visits if each.talk_ms]
    if len(talks_s) < FEW:
        others = "" if talks_s else "; those of the other queues are taken"
        notes.append(f"queue {queue}: {len(talks_s)} talks are few to draw handling times from{others}")
    return {
        "id": queue,
        **{field: settings.get(field, getattr(_USUAL, field)) for field in _SETTINGS},
        "wrap_up_s": round(fmean(wrap_ups_s)) if wrap_ups_s else settings.get("wrap_up_s", _USUAL.wrap_up_s),
        "callers": _kinds(visits, settings.get("priority", _USUAL.priority)),
        "patience_s": _patience(queue, visits, notes),
        "handling_s": {"kind": "values", "s": talks_s or all_s},
        "arrivals_s": [each.joined_ms / 1000 for each in visits],
    }


def _patience(queue: str, visits: Sequence[Visit], notes: list[str]) -> dict[str, Any] | None:
    """Exponential; its mean is all time waited by the number who gave up: who was answered, or sent another way, would
    have waited longer."""
    gave_up = sum(each.outcome in _GAVE_UP for each in visits)
    if gave_up == 0:
        notes.append(f"queue {queue}: nobody gave up, so all callers wait as long as it takes")
        return None
    if gave_up < FEW:
        notes.append(f"queue {queue}: {gave_up} callers who gave up are few to tell patience from")
    return {"kind": "exponential", "mean_s": max(1, sum(each.wait_ms for each in visits)) / gave_up / 1000}


def _kinds(visits: Iterable[Visit], usual: float) -> list[dict[str, Any]]:
    """What callers asked for at their nodes: priority, skills, and how these relax."""
    found = Counter(json.dumps(_asked(visit.node, usual), sort_keys=True) for visit in visits)
    return [{"share": share, **json.loads(kind)} for kind, share in found.most_common()]


def _asked(node: Json, usual: float) -> dict[str, Any]:
    steps = [{"after_s": 0, "skills": node.get("skills", {})}, *node.get("relax", ())]
    given = node.get("priority")
    try:
        priority = usual if given is None else min(max(float(given), 0), 100)
    except ValueError:
        priority = usual  # an expression, whose value is not in the record
    return {"priority": priority, "rings": [{"after_s": each["after_s"], "skills": each["skills"]} for each in steps]}


def _service_level(kept: Mapping[str, Sequence[Visit]], records: Records, notes: list[str]) -> float:
    """A scenario has one; queues have each their own."""
    every = {queue: records.queues.get(queue, {}).get("service_level_s", _USUAL.service_level_s) for queue in kept}
    busiest = max(kept, key=lambda queue: len(kept[queue]))
    if len(set(every.values())) > 1:
        notes.append(f"service level: within {every[busiest]} s as in queue {busiest}; other queues have other limits")
    return float(every[busiest])


# Agents


def _tiers(agent: str, records: Records, visits: Iterable[Visit]) -> dict[str, Json]:
    if agent in records.agents:
        return dict(records.agents[agent]["queues"])
    return {visit.queue: {} for visit in visits if visit.agent == agent}


def _unknown(records: Records, days: Mapping[str, Day]) -> Iterator[str]:
    for agent in sorted(days.keys() - records.agents.keys()):
        yield f"agent {agent} is no longer there: the queues are those out of which he answered, without skills"
    for agent in sorted({each.agent for each in records.visits if each.agent} - days.keys()):
        yield f"agent {agent} is left out: he answered calls, and there is no event of his being at work"


def _agents(
    kept: Mapping[str, Sequence[Visit]],
    records: Records,
    days: Mapping[str, Day],
    tiers: Mapping[str, Mapping[str, Json]],
) -> Iterator[dict[str, Any]]:
    recoveries_s = list(chain.from_iterable(each.recoveries for each in days.values()))
    visits = list(chain.from_iterable(kept.values()))
    all_s = [each.ring_ms / 1000 for each in visits if each.agent is not None]
    for agent, found in days.items():
        queues = {queue: tier for queue, tier in tiers[agent].items() if queue in kept}
        if not queues:
            continue
        rings_s = [each.ring_ms / 1000 for each in visits if each.agent == agent]
        # how long he would have needed is not known, only that it was too long
        missed_s = [records.queues.get(queue, {}).get("ring_s", _USUAL.ring_s) + 1.0 for queue in found.no_answers]
        yield {
            "id": agent,
            "queues": queues,
            "skills": records.agents.get(agent, {}).get("skills", {}),
            "shifts": found.shifts,
            "answer_s": {"kind": "values", "s": rings_s + missed_s or all_s},
            **({"away_s": max(fmean(recoveries_s), 1)} if recoveries_s else {}),
        }


# What was so


def _queue_figures(kept: Mapping[str, Sequence[Visit]], within_ms: float) -> dict[str, Figures]:
    whole = {**kept, ALL: list(chain.from_iterable(kept.values()))}
    return {queue: _tally(visits).figures(within_ms) | {"longest_line": None} for queue, visits in whole.items()}


def _tally(visits: Sequence[Visit]) -> QueueTally:
    return QueueTally(
        offered=len(visits),
        answered=[each.wait_ms for each in visits if each.outcome is QueueOutcome.ANSWERED],
        abandoned=[each.wait_ms for each in visits if each.outcome in _GAVE_UP],
        overflowed=sum(each.outcome not in (QueueOutcome.ANSWERED, *_GAVE_UP) for each in visits),
    )


def _agent_figures(days: Mapping[str, Day]) -> dict[str, Figures]:
    whole = {agent: (found.busy_ms, found.present_ms) for agent, found in days.items()}
    whole[ALL] = (sum(busy for busy, _ in whole.values()), sum(present for _, present in whole.values()))
    return {agent: {"occupancy": busy / present if present else None} for agent, (busy, present) in whole.items()}
