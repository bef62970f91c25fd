"""What a system has recorded of a period, as its API tells it: calls in queues, and what agents did.

RecordsUnusable     nothing can be simulated from them; says why, and what to do
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import chain
from typing import Any

from callwright.client import ApiError, Client, path
from engine.domain.call import QueueOutcome

MOST_CALLS = 200_000
LONGEST_BEFORE = timedelta(hours=1)
"""A call may have been in its flow for so long before it came to a queue."""

Json = Mapping[str, Any]


class RecordsUnusable(Exception):
    """The records of the period can't be simulated."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a queue, in ms; `joined_ms` is counted from the period's beginning.

    `node` is the document of the `queue` node at which the call came to it, empty where it is not known any more.
    """

    queue: str
    joined_ms: int
    outcome: QueueOutcome
    agent: str | None
    wait_ms: int
    ring_ms: int
    talk_ms: int
    node: Json


@dataclass(frozen=True, slots=True)
class Records:
    """A period. Queues and agents are as they are now; the agents' events, oldest first, begin before the period."""

    begins_ms: int
    hours: float
    calls: int
    visits: Sequence[Visit]
    queues: Mapping[str, Json]
    agents: Mapping[str, Json]
    events: Mapping[str, Sequence[Json]]


def fetch(api: Client, begins: datetime, hours: float) -> Records:
    """Raises RecordsUnusable, and what the client raises."""
    ends = begins + timedelta(hours=hours)
    period = {"from": (begins - LONGEST_BEFORE).isoformat(), "to": ends.isoformat()}
    calls = list(api.calls(MOST_CALLS + 1, **period))
    if len(calls) > MOST_CALLS:
        raise RecordsUnusable(f"more than {MOST_CALLS} calls in {hours:g} h; take fewer --hours")
    documents = _Documents(api)
    here = range(moment_ms(begins), moment_ms(ends))
    visits = list(chain.from_iterable(_visits(call, here, documents) for call in calls))
    if not visits:
        raise RecordsUnusable(
            f"none of the {len(calls)} calls came to a queue between {begins.isoformat()} and {ends.isoformat()}; "
            "give another --since or more --hours"
        )
    agents = {each["id"]: each for each in api.get("/agents")["agents"]}
    answered = {visit.agent for visit in visits if visit.agent is not None}
    return Records(
        begins_ms=here.start,
        hours=hours,
        calls=len(calls),
        visits=sorted(visits, key=lambda visit: visit.joined_ms),
        queues={each["id"]: each for each in api.get("/queues")["queues"]},
        agents=agents,
        events={agent: _events(api, agent, begins, ends) for agent in sorted(agents.keys() | answered)},
    )


def moment_ms(moment: datetime | str) -> int:
    """UTC epoch milliseconds of a moment, also as the API writes it."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return round(found.timestamp() * 1000)


def _events(api: Client, agent: str, begins: datetime, ends: datetime) -> list[Json]:
    """What happened to the agent in the period, and at least the last thing before it, which tells how he began."""
    found: list[Json] = []
    for event in api.agent_events(agent, to=ends.isoformat()):
        found.append(event)
        if moment_ms(event["at"]) < moment_ms(begins):
            break
    return found[::-1]


class _Documents:
    """Flows as calls had them."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._nodes: dict[tuple[str, str], Mapping[str, Json]] = {}

    def node(self, flow: str, version: str, name: str) -> Json:
        """The node, empty where there is none of this name (any more)."""
        if (flow, version) not in self._nodes:
            self._nodes[flow, version] = self._asked(flow, version)
        return self._nodes[flow, version].get(name, {})

    def _asked(self, flow: str, version: str) -> Mapping[str, Json]:
        try:
            found: Mapping[str, Json] = self._api.get(path("flows", flow, "versions", version))["nodes"]
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return {}
        return found


def _visits(call: Json, here: range, documents: _Documents) -> Sequence[Visit]:
    found = []
    for visit in call["queues"]:
        joined_ms = moment_ms(visit["joined_at"])
        if joined_ms in here:
            found.append(
                Visit(
                    queue=visit["queue"],
                    joined_ms=joined_ms - here.start,
                    outcome=QueueOutcome(visit["outcome"]),
                    agent=visit["agent"],
                    wait_ms=visit["wait_ms"],
                    ring_ms=visit["ring_ms"],
                    talk_ms=visit["talk_ms"],
                    node=_node(call, joined_ms, documents),
                )
            )
    return found


def _node(call: Json, joined_ms: int, documents: _Documents) -> Json:
    """The `queue` node that the call had come to by then."""
    for each in reversed(call["path"]):
        # the queue's clock may be a little behind the one of the path
        if moment_ms(each["entered_at"]) <= joined_ms + 1000:
            node = documents.node(each["flow"], each["version"], each["node"])
            if node.get("type") == "queue":
                return node
    return {}
