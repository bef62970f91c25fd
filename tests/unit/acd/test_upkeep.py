"""What has to be done about an agent: from wherever he is it comes to an end, and then he is as he should be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.acd.agent import (
    Accepted,
    Agent,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    Reserved,
    TakeBreak,
)
from engine.acd.states import apply
from engine.acd.upkeep import Drop, Known, Step, come_back, newcomer, next_step
from engine.domain.acd import AgentState, Tier
from engine.domain.routing import AgentEntry

MOST_STEPS = 5
NOW_MS = 100_000
DAY: tuple[Happening, ...] = (
    LogIn(),
    Reserved("1-1", "m1", "sales"),
    Accepted("1-1"),
    ConversationBegan("m1", "1-1"),
    ConversationEnded("m1", 50_000),
    TakeBreak(Break("lunch")),
)
tiers = st.dictionaries(st.sampled_from(["sales", "help"]), st.builds(Tier, st.integers(1, 2)))
entries = st.builds(
    AgentEntry,
    st.just("alice"),
    st.just("Alice"),
    queues=tiers,
    skills=st.dictionaries(st.sampled_from(["cs", "en"]), st.integers(1, 10)),
    may_choose_queues=st.booleans(),
    mobile=st.sampled_from(["", "+420777123456"]),
    mobile_in=st.sampled_from([(), (AgentState.READY,)]),
)


def after(happened: int, reachable: bool) -> Agent:
    agent = Agent(id="alice", assigned={"sales": Tier()})
    for happening in DAY[:happened]:
        agent = apply(agent, happening, 10_000).agent
    return Agent.from_json(agent.to_json().replace('"reachable":true', f'"reachable":{str(reachable).lower()}'))


def settled(agent: Agent, known: Known, now_ms: int) -> tuple[Agent | None, Step | None]:
    """The agent when nothing is left to do; None where he is gone."""
    last: Step | None = None
    for _ in range(MOST_STEPS):
        step = next_step(agent, known, now_ms)
        if step is None:
            return agent, last
        if isinstance(step, Drop):
            assert agent.state is AgentState.LOGGED_OUT
            return None, step
        agent, last = apply(agent, step, now_ms).agent, step
    raise AssertionError(f"it never ends: {last}")


@given(
    st.integers(0, len(DAY)),
    st.booleans(),
    st.none() | entries,
    st.sampled_from([True, False, None]),
    st.sampled_from([(), ("m1",)]),
    st.sampled_from([11_000, NOW_MS]),
)
def test_it_comes_to_an_end(
    happened: int,
    reachable: bool,
    entry: AgentEntry | None,
    registered: bool | None,
    dead: tuple[str, ...],
    now_ms: int,
) -> None:
    before = after(happened, reachable)
    agent, _ = settled(before, Known(entry, registered, dead), now_ms)
    held = before.state in (AgentState.RINGING, AgentState.ON_CALL)
    if agent is None:
        assert entry is None
        return
    if entry is None:
        assert held, "only a call keeps who is gone"
        return
    assert (agent.assigned, agent.skills, agent.may_choose_queues) == (
        entry.queues,
        entry.skills,
        entry.may_choose_queues,
    )
    assert agent.tiers.keys() <= entry.queues.keys()
    if entry.rings_mobile(AgentState.READY):
        assert agent.reachable
    else:
        assert agent.reachable == (before.reachable if registered is None else registered)
    assert agent.state is not AgentState.ON_CALL or agent.call not in dead
    assert agent.state is not AgentState.WRAP_UP or agent.wrap_up_until_ms > now_ms


@given(entries, st.sampled_from([True, False, None]))
def test_a_newcomer_needs_nothing(entry: AgentEntry, registered: bool | None) -> None:
    assert next_step(newcomer(entry, registered), Known(entry, registered), NOW_MS) is None


@given(st.integers(0, len(DAY)))
def test_who_comes_back_has_no_offer(happened: int) -> None:
    before = after(happened, True)
    change = come_back(before, NOW_MS)
    assert change.agent.offer is None
    if before.offer is None:
        assert change.agent == before
    else:
        assert change.event is not None
        assert (change.agent.state, change.agent.version) == (AgentState.READY, before.version + 1)
