"""A day that is simulated, recorded, and simulated again from its records is like itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from json import dumps
from typing import Any

import pytest

from callwright.simulate.callers import Caller, Chances, callers
from callwright.simulate.experiment import simulate
from callwright.simulate.floor import BEGINS_MS, Floor, Waiting
from callwright.simulate.recorded import scenario_of
from callwright.simulate.records import Records, Visit
from callwright.simulate.scenario import Scenario, load, read
from callwright.simulate.tally import Tally
from engine.acd import states
from engine.acd.agent import Happening
from engine.domain.acd import Offer
from engine.domain.call import QueueOutcome


class Recorder(Floor):
    """A floor of which the same is kept as of a real one."""

    def __init__(self, given: Scenario) -> None:
        self.visits: list[Visit] = []
        self.events: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        queues, groups = [each.id for each in given.queues], [each.id for each in given.agents]
        self.tally = Tally(queues, groups, 0, round(given.hours * 3_600_000), BEGINS_MS)
        super().__init__(given, Chances(1, 0), self.tally)
        self.run(callers(given, Chances(1, 0), probes=False))

    def _happens(self, agent_id: str, happening: Happening, tell: bool = True) -> None:
        event = states.apply(self._workers[agent_id].agent, happening, self.now_ms).event
        if event is not None:
            at = datetime.fromtimestamp(event.at_ms / 1000, UTC).isoformat()
            told = {"at": at, "what": event.what, "to_state": event.to_state.value}
            self.events[agent_id].append({**told, "reason": event.reason, "queue": event.queue})
        super()._happens(agent_id, happening, tell)

    def _answered(self, waiting: Waiting, offer: Offer, agent: str) -> None:
        if waiting.offer is offer and offer.member in self._waiting:
            ring_ms, talk_ms = self.now_ms - offer.at_ms, waiting.caller.handling_ms
            self._visited(waiting.caller, waiting.joined_ms, QueueOutcome.ANSWERED, agent, ring_ms, talk_ms)
        super()._answered(waiting, offer, agent)

    def _leaves(self, caller: Caller, gives_up: bool) -> None:
        waiting = self._waiting.get(caller.id)
        if waiting is not None:
            outcome = QueueOutcome.ABANDONED if gives_up else QueueOutcome.TIMEOUT
            self._visited(caller, waiting.joined_ms, outcome)
        super()._leaves(caller, gives_up)

    def _visited(
        self,
        caller: Caller,
        joined_ms: int,
        outcome: QueueOutcome,
        agent: str | None = None,
        ring_ms: int = 0,
        talk_ms: int = 0,
    ) -> None:
        kind = self._queues[caller.queue].callers[caller.kind]
        first, *relax = (ring.model_dump() for ring in kind.rings)
        node = {"type": "queue", "skills": first["skills"], "relax": relax, "priority": str(kind.priority)}
        wait_ms = self.now_ms - joined_ms
        self.visits.append(Visit(caller.queue, joined_ms - BEGINS_MS, outcome, agent, wait_ms, ring_ms, talk_ms, node))

    def records(self, given: Scenario) -> Records:
        document = given.model_dump(mode="json")
        settings = {each["id"]: each | {"service_level_s": given.service_level_s} for each in document["queues"]}
        agents = {
            f"{group['id']}-{number + 1}": {"queues": group["queues"], "skills": group["skills"]}
            for group in document["agents"]
            for number in range(group["count"])
        }
        visits = sorted(self.visits, key=lambda visit: visit.joined_ms)
        return Records(BEGINS_MS, given.hours, len(visits), visits, settings, agents, self.events)


def test_the_contact_centre() -> None:
    given = load("contact-centre")
    floor = Recorder(given)
    recorded = scenario_of(floor.records(given), "Again")
    made = read(dumps(recorded.document))
    assert len(made.agents) == 40
    assert {each.id: len(each.callers) for each in made.queues} == {each.id: len(each.callers) for each in given.queues}
    was = recorded.queues["all"]
    real = floor.tally.everything().figures(given.service_level_s * 1000)
    names = ("offered", "service_level", "answered", "abandoned", "asa_s", "p90_s")
    assert [was[name] for name in names] == pytest.approx([real[name] for name in names])
    again = simulate(made, runs=6, seed=3)
    figures = {name: each.mean for name, each in again.queues["all"].items()}
    assert figures["offered"] == was["offered"]
    assert figures["service_level"] == pytest.approx(was["service_level"], abs=0.04)
    assert figures["abandoned"] == pytest.approx(was["abandoned"], abs=0.02)
    assert figures["asa_s"] == pytest.approx(was["asa_s"], rel=0.3)
    assert again.agents["all"]["occupancy"].mean == pytest.approx(recorded.agents["all"]["occupancy"], abs=0.03)
