"""What a scenario may say, and what is said of a wrong one: what, where, how to mend it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callwright.simulate.scenario import MOST_FAULTS, ScenarioInvalid, load, read, shipped
from tests.unit.simulate.centres import QUEUE, document


def faults(found: Any) -> list[str]:
    with pytest.raises(ScenarioInvalid) as invalid:
        read(found if isinstance(found, str) else json.dumps(found), "s.json")
    return list(invalid.value.faults)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The scenario with one thing changed; the path as messages write it."""
    found = document()
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    at: Any = found
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[int(last) if last.isdigit() else last] = value
    return found


SHIFTS = [{"from_h": 0, "to_h": 1, "breaks": [{"at_h": 0.2, "minutes": 12, "stagger_min": 30}]}]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("hours", 0, "hours: must be greater than 0 (is 0)"),
        ("hours", "8", 'hours: must be a valid number (is "8")'),
        ("warm_up_h", 1, "warm_up_h: must be less than hours, 1, or nothing is counted"),
        ("queues[0].wrapup_s", 5, "queues[0].wrapup_s: is not known here; is wrap_up_s meant?"),
        ("agents[0].queues.q.rank", 1, "agents[0].queues.q.rank: is not known here; possible are: level, position"),
        ("queues[0].id", "Big Q", None),
        ("queues[0].strategy", "random", None),
        ("queues[0].handling_s", {"kind": "exponential"}, "queues[0].handling_s.mean_s: is missing; add it"),
        ("queues[0].handling_s", {"kind": "normal", "mean_s": 3},
         "queues[0].handling_s: must be an object with a kind (constant, exponential, lognormal, uniform or values),"
         ' as in docs/simulation.md (kind is "normal")'),
        ("agents[0].answer_s", 5,
         "agents[0].answer_s: must be an object with a kind (constant, exponential, lognormal, uniform or values),"
         " as in docs/simulation.md"),
        ("queues[0].arrivals", [], "queues[0].arrivals: must not be empty"),
        ("queues[0].handling_s", {"kind": "uniform", "from_s": 5, "to_s": 3},
         "queues[0].handling_s: to_s must not be less than from_s"),
        ("queues[0].handling_s", {"kind": "lognormal", "mean_s": 5, "deviation_s": 3, "sd_s": 1},
         "queues[0].handling_s.deviation_s: is not known here; possible are: kind, mean_s, sd_s"),
        ("queues[0].arrivals", [{"from_h": 1, "per_hour": 3}],
         "queues[0] (q).arrivals[0].from_h: the first interval must begin at 0"),
        ("queues[0].arrivals", [{"from_h": 0, "per_hour": 3}, {"from_h": 0, "per_hour": 4}],
         "queues[0] (q).arrivals: each interval must begin later than the one before"),
        ("queues[0].arrivals_s", [5],
         "queues[0] (q): must have either arrivals or arrivals_s, to say when callers come"),
        ("queues[0]", {**QUEUE, "arrivals": [], "arrivals_s": [3700, 5]}, None),
        ("queues[0]", {key: QUEUE[key] for key in ("id", "handling_s", "patience_s")} | {"arrivals_s": [3700, 5]},
         "queues[0] (q).arrivals_s: 3700 s is not within the scenario's 1 h"),
        ("queues[0].callers", [{"rings": [{"after_s": 5, "skills": {}}]}],
         "queues[0] (q).callers[0].rings: after_s must begin with 0 and grow"),
        ("queues[0].id", "p", "queues[0] (p): no agent serves it; add it to the queues of agents"),
        ("agents[0].queues", {"sales": {}}, "agents[0] (a).queues: there is no queue 'sales'; queues are: q"),
        ("agents[0].shifts", [{"from_h": 2, "to_h": 1}], "agents[0] (a).shifts[0]: to_h must be later than from_h"),
        ("agents[0].shifts", [{"from_h": 0}, {"from_h": 1}],
         "agents[0] (a).shifts[1]: must begin after the end of the one before"),
        ("agents[0]", {"id": "a", "count": 3, "queues": {"q": {}}, "shifts": SHIFTS},
         "agents[0] (a).shifts[0].breaks: must lie within the shift and not overlap, for agent 3 of the group"
         " (stagger_min)"),
    ],
)  # fmt: skip
def test_faults(path: str, value: Any, fault: str | None) -> None:
    found = faults(changed(path, value))
    assert any(each.startswith(f"s.json: {path.partition('[')[0]}") for each in found)
    if fault is not None:
        assert f"s.json: {fault}" in found


def test_the_same_id_twice() -> None:
    found = document(agents=[{}, {}])
    assert faults(found) == ["s.json: agents: the id 'a' is there twice; ids must differ"]


def test_all_faults_at_once_but_not_without_end() -> None:
    found = {**document(), "hours": -1, "level_s": 3}
    assert len(faults(found)) == 2
    found["agents"] = [{"id": f"a{number}"} for number in range(100)]
    assert len(faults(found)) == MOST_FAULTS + 1
    assert faults(found)[-1] == "s.json: and 82 more"


def test_a_fault_of_form_does_not_hide_a_queue_that_is_not_there() -> None:
    found = document(wrapup_s=5)
    found["agents"] += [{"id": "late", "queues": {"sale": {}, "q": {}}}, {"id": 3, "queues": ["q"]}, "nobody"]
    said = faults(found)
    assert "s.json: queues[0].wrapup_s: is not known here; is wrap_up_s meant?" in said
    assert [each for each in said if "there is no queue" in each] == [
        "s.json: agents[1] (late).queues: there is no queue 'sale'; queues are: q"
    ]
    found["queues"].append({})
    assert not [each for each in faults(found) if "there is no queue" in each], "the id that is missing may be it"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "s.json: is no JSON: line 1, column 2: Expecting property name enclosed in double quotes"),
        ("[]", "s.json: must be an object"),
        ("[" * 200_000, "s.json: is nested too deeply for a scenario"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    names = ", ".join(shipped())
    with pytest.raises(ScenarioInvalid, match=f"no such file; shipped scenarios: {names}"):
        load(str(tmp_path / "none.json"))
    with pytest.raises(ScenarioInvalid, match="can't be read"):
        load(str(tmp_path))
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(ScenarioInvalid, match="is not UTF-8 text"):
        load(str(tmp_path / "latin.json"))


def test_a_list_is_not_called_empty_because_its_items_are_wrong() -> None:
    assert len(faults(changed("queues[0].weight", -1))) == 1


def test_the_example_of_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "simulation.md").read_text(encoding="utf-8")
    assert len(read(page.partition("```json\n")[2].partition("```")[0]).queues) == 2


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_are_valid(name: str) -> None:
    found = load(name)
    assert found.about
    if name == "contact-centre":
        assert (len(found.queues), sum(each.count for each in found.agents)) == (5, 40)
