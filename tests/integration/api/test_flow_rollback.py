"""Back to the version before, and what an activation looks at (R21)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

import ivr_flows
from ivr_flows import Finding, library, verify
from tests.integration.api.conftest import Api, problem


@pytest.fixture
def versions(api: Api) -> list[str]:
    """Four versions of one flow, checked and not active."""
    assert api.put("/agents/alice", {"name": "Alice", "sip_password": "a-long-password"}).status_code == 201
    named = (library.template("main") | {"name": name} for name in "ABCD")
    return [api.post("/flows", document).get_json()["version"] for document in named]


def activate(api: Api, *versions: str) -> None:
    for version in versions:
        assert api.put("/flows/main/active", {"version": version}).status_code == 200


def rolled_back(api: Api, left: str) -> str:
    answer = api.post("/flows/main/rollback", {"from": left})
    assert answer.status_code == 200, answer.get_json()
    version: str = answer.get_json()["active_version"]
    return version


@pytest.mark.req("R21")
def test_a_bad_version_does_not_come_back(api: Api, versions: list[str]) -> None:
    a, b, c, d = versions
    activate(api, a, b, c)
    assert rolled_back(api, c) == b
    assert rolled_back(api, b) == a
    found = problem(api.post("/flows/main/rollback", {"from": a}), 409, "no_version_before")
    assert "activate a version by its name" in found["detail"]
    assert api.get("/flows/main").get_json()["active_version"] == a
    activate(api, d)
    assert rolled_back(api, d) == a, "B and C were left"


@pytest.mark.req("R21")
def test_an_activation_of_an_older_version_is_a_roll_back_too(api: Api, versions: list[str]) -> None:
    a, b, c, d = versions
    activate(api, a, b, c, b, d)
    assert rolled_back(api, d) == b
    assert rolled_back(api, b) == a


@pytest.mark.req("R21", "R122")
def test_who_comes_second_does_not_go_back_further(api: Api, versions: list[str]) -> None:
    a, b, c, _ = versions
    activate(api, a, b, c)
    assert rolled_back(api, c) == b
    found = problem(api.post("/flows/main/rollback", {"from": c}), 409, "flow_not_active")
    assert found["active"] == b
    assert api.get("/flows/main").get_json()["active_version"] == b
    refused, done, *_ = api.audit("flow:main")
    assert (refused.action, refused.outcome) == ("flow.roll_back", "flow_not_active")
    assert (done.action, done.outcome) == ("flow.roll_back", "ok")
    assert (done.detail["version"], done.detail["before"]) == (b, c)


def test_where_nothing_can_be_rolled_back(api: Api, versions: list[str]) -> None:
    problem(api.post("/flows/other/rollback", {"from": versions[0]}), 404, "flow_not_found")
    found = problem(api.post("/flows/main/rollback", {"from": versions[0]}), 409, "flow_not_active")
    assert "none is" in found["detail"]
    problem(api.post("/flows/main/rollback", {}), 422, "invalid_request")


@pytest.mark.req("R21")
def test_a_check_that_an_upgrade_adds_does_not_keep_a_good_version_away(
    api: Api, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c, _ = versions
    activate(api, a, b)

    def stricter(study: object) -> Iterator[Finding]:
        yield Finding("error", "endless_cycle", "menu", None, "a later release looks closer")

    monkeypatch.setattr(verify, "_OF_PARTS", (*verify._OF_PARTS, stricter))
    problem(api.put("/flows/main/active", {"version": c}), 422, "flow_refused")
    answer = api.post("/flows/main/rollback", {"from": b}).get_json()
    assert answer["active_version"] == a
    assert [(each["severity"], each["code"]) for each in answer["findings"]] == [("warning", "endless_cycle")]
    activate(api, b)


@pytest.mark.req("R21")
def test_a_version_whose_agent_is_gone_does_not_come_back(api: Api, versions: list[str]) -> None:
    api.put("/agents/bob", {"name": "Bob", "sip_password": "a-long-password"})
    other = library.template("main")
    other["nodes"]["agent"]["agent"] = "bob"
    second = api.post("/flows", other).get_json()["version"]
    activate(api, versions[0], second)
    assert api.delete("/agents/alice").status_code == 204, "no active flow names her"
    found = problem(api.post("/flows/main/rollback", {"from": second}), 422, "flow_refused")
    assert [each["code"] for each in found["findings"]] == ["missing_reference"]
    assert api.get("/flows/main").get_json()["active_version"] == second


def during_the_check(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> list[object]:
    """Has something done whenever a flow is checked."""
    report, checks = ivr_flows.report, list[object]()

    def reported(*arguments: Any, **options: Any) -> Any:
        found = report(*arguments, **options)
        checks.append(found)
        do()
        return found

    monkeypatch.setattr(ivr_flows, "report", reported)
    return checks


def test_no_transaction_is_open_while_a_flow_is_checked(
    api: Api, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_open() -> None:
        state = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        with api.database.engine.connect() as connection:
            assert connection.execute(text(state)).scalar_one() == 0

    checks = during_the_check(monkeypatch, nothing_open)
    assert api.post("/flows", library.template("main") | {"name": "E"}).status_code == 201
    assert api.post(f"/flows/main/versions/{versions[0]}/check", None).status_code == 200
    activate(api, *versions[:2])
    rolled_back(api, versions[1])
    assert len(checks) == 5


def test_what_changes_while_a_flow_is_checked_is_seen(
    api: Api, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = during_the_check(monkeypatch, lambda: None if len(checks) > 1 else _delete(api))
    found = problem(api.put("/flows/main/active", {"version": versions[0]}), 422, "flow_refused")
    assert [each["code"] for each in found["findings"]] == ["missing_reference"]
    assert len(checks) == 2


def _delete(api: Api) -> None:
    assert api.delete("/agents/alice").status_code == 204
