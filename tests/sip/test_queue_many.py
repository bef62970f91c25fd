"""Many callers in five queues with many agents, by SIPp: all are answered or give up as scripted; the records agree.

On FreeSWITCH 200 callers and 40 agents; on the lab switch, which moves all sound in Python, 40 and 13.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from callwright.local.stack import Stack, SwitchKind
from tests.sip.crowd import HASTY, PATIENT, QUEUES, RINGING, WITHIN_S, Crowd, Size, ms

pytestmark = [pytest.mark.usefixtures("sipp"), pytest.mark.req("R90")]

SIZES: dict[SwitchKind, Size] = {
    "freeswitch": Size(patient=24, hasty=16, talk=30, silent=6, reject=4),
    "lab": Size(patient=5, hasty=3, talk=10, silent=2, reject=1),
}
SAME_MS = 200
"""Who joins within so many ms may have been first: between the look at the clock and the joining lies a turn."""
NOTED_WITHIN_MS = 100
"""So much later a leg's end may be noted than its agent is reported free: what is over is told first."""

Calls = dict[tuple[str, str], list[dict[str, Any]]]
"""Records by queue and kind of caller."""


@pytest.fixture(scope="module")
def crowd(switch: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """A system of its own: its agents are many, and what is left in it at the end is looked at."""
    size = SIZES[switch]
    with Stack(switch=switch, state_dir=tmp_path_factory.mktemp("crowd"), engines=2, agents=size.agents) as stack:
        made = Crowd(stack, size)
        made.set_up()
        yield made
        stack.check()


@pytest.fixture(scope="module")
def calls(crowd: Crowd) -> Iterator[Calls]:
    """All have called; the agents' phones are still there."""
    with crowd.phones() as (talking, _, _):
        with crowd.callers(PATIENT) as patient:
            # The burst: everybody is ready when the first ones wait already.
            crowd.begin_work()
            crowd.have_come(len(QUEUES) * crowd.size.patient)
            with crowd.callers(HASTY) as hasty:
                runs = {(queue, kind): each for kind, own in ((PATIENT, patient), (HASTY, hasty))
                        for queue, each in own.items()}  # fmt: skip
                results = {key: run.wait() for key, run in runs.items()}
        found = {key: crowd.records(*key, result) for key, result in results.items()}
        yield found
        told = talking.stop()
        served = len(QUEUES) * crowd.size.patient
        assert (told.successful, told.failed) == (served, 0), "one conversation for each patient caller"


def test_every_caller_has_one_record_that_says_what_he_did(crowd: Crowd, calls: Calls) -> None:
    for (queue, kind), records in calls.items():
        assert len(records) == (crowd.size.patient if kind == PATIENT else crowd.size.hasty)
        for record in records:
            (visit,) = record["queues"]
            assert visit["queue"] == queue
            by = "caller" if kind == HASTY or queue == RINGING else "agent"
            assert record["hung_up_by"] == by
            if kind == PATIENT:
                assert (record["result"], visit["outcome"]) == ("handled", "answered")
                (talked,) = [leg for leg in record["legs"] if leg["result"] == "talked"]
                assert talked["party"] == visit["agent"]
                assert visit["talk_ms"] > 1000
            else:
                assert visit["outcome"] in ("abandoned", "abandoned_ringing")
                assert (visit["agent"], visit["talk_ms"]) == (None, 0)
                assert visit["wait_ms"] >= 2000
            assert len(record["legs"]) == visit["offers"]
            assert visit["wait_ms"] == ms(visit["left_at"]) - ms(visit["joined_at"])


def test_no_agent_is_rung_or_talks_for_two_callers_at_once(calls: Calls) -> None:
    legs: defaultdict[str, list[tuple[int, int, int | None]]] = defaultdict(list)
    for records in calls.values():
        for record in records:
            for leg in record["legs"]:
                answered = leg["answered_at"] and ms(leg["answered_at"])
                legs[leg["party"]].append((ms(leg["started_at"]), ms(leg["ended_at"]), answered))
    for agent, own in legs.items():
        for (_, until, _), (since, _, answered) in pairwise(sorted(own)):
            assert until - since <= NOTED_WITHIN_MS, f"{agent} until {until} and from {since} on"
            assert answered is None or until <= answered, f"{agent} talks until {until} and from {answered} on"


def test_callers_of_a_queue_are_offered_in_the_order_in_which_they_came(calls: Calls) -> None:
    for queue in QUEUES:
        line = sorted(
            (ms(record["queues"][0]["joined_at"]), min(ms(leg["started_at"]) for leg in record["legs"]))
            for record in calls[queue, PATIENT]
        )
        for index, (joined, offered) in enumerate(line):
            sooner = [each for each in line[index + 1 :] if each[0] > joined + SAME_MS and each[1] < offered - SAME_MS]
            assert not sooner, f"{queue}: who joined at {joined} was offered at {offered}, after {sooner}"


def test_work_is_shared_and_each_agent_is_as_he_should_be(crowd: Crowd, calls: Calls) -> None:
    size = crowd.size
    talks = Counter(record["queues"][0]["agent"] for records in calls.values() for record in records)
    del talks[None]
    assert set(talks) <= set(size.agents[: size.talk])
    assert len(talks) == size.talk, "everybody had something to do"
    until = crowd.system.wait_until
    until("nobody's call is left", lambda: all(_rests(crowd).values()), WITHIN_S)
    assert {agent: state["calls"] for agent, state in crowd.states().items()} == {
        agent: talks[agent] for agent in size.agents
    }


def test_nothing_is_left(crowd: Crowd, calls: Calls) -> None:
    until = crowd.system.wait_until
    until("no channel on the switch", lambda: crowd.channels().startswith("0 total"), WITHIN_S)
    until("no member, no offer, no open call", lambda: not crowd.left_over(), WITHIN_S)
    pool = crowd.pool()
    assert (pool.members, pool.offers, pool.offered) == ((), (), {})
    for queue in QUEUES:
        figures = crowd.api.get(f"/queues/{queue}/figures")
        assert (figures["is_led"], figures["waiting"], figures["longest_wait_ms"]) == (True, 0, 0)


def _rests(crowd: Crowd) -> dict[str, bool]:
    """Whether each agent is as he should be: who let it ring is on a break, the others are ready."""
    size, found = crowd.size, {}
    for index, (agent, state) in enumerate(crowd.states().items()):
        if size.talk <= index < size.talk + size.silent:
            found[agent] = state["state"] == "break" and state["on_break"]["reason"] == "no_answer"
        else:
            found[agent] = state["state"] == "ready"
    return found
