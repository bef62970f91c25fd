from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ivr_flows import library
from tests.integration.api.conftest import Api, problem


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    assert api.put("/agents/alice", {"name": "Alice", "sip_password": "a-long-password"}).status_code == 201
    return library.template("main")


def changed(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"name": "Another line"}


@pytest.mark.req("R21")
def test_upload_activate_roll_back(api: Api, document: dict[str, Any]) -> None:
    first = api.post("/flows", document)
    assert first.status_code == 201
    v1 = first.get_json()["version"]
    way = {"ms": 45_000, "path": ["answer", "welcome", "menu", "agent"]}
    told = {"state": "checked", "findings": [], "longest_to_person": way}
    assert first.get_json() == {"flow": "main", "version": v1, "created": True, **told}
    assert api.get("/flows/main").get_json()["active_version"] is None, "an upload alone changes nothing for callers"

    v2 = api.post("/flows", changed(document)).get_json()["version"]
    for version in (v1, v2, v1):
        answer = api.put("/flows/main/active", {"version": version})
        assert answer.status_code == 200
        assert answer.get_json()["active_version"] == version

    detail = api.get("/flows/main").get_json()
    assert [each["version"] for each in detail["activations"]] == [v1, v2, v1]
    assert {each["version"]: each["state"] for each in detail["versions"]} == {v1: "active", v2: "checked"}
    assert {each["checked_by"] for each in detail["versions"]} == {"bootstrap"}
    assert detail["activations"][0]["activated_at"] == "2026-09-21T14:15:00.000Z"
    assert detail["activations"][0]["activated_by"] == "bootstrap"
    assert [each["id"] for each in api.get("/flows").get_json()["flows"]] == ["main"]


@pytest.mark.req("R21")
def test_a_version_comes_back_as_it_was_uploaded(api: Api, document: dict[str, Any]) -> None:
    uploaded = api.post("/flows", document)
    answer = api.get(uploaded.headers["Location"])
    assert answer.status_code == 200
    assert json.dumps(answer.get_json()) == json.dumps(document), "the same, order included"


@pytest.mark.req("R21")
def test_uploading_a_version_again_makes_no_other(api: Api, document: dict[str, Any]) -> None:
    first = api.post("/flows", document).get_json()
    moved = document | {"layout": {"answer": {"x": 1, "y": 2}}}
    again = api.post("/flows", moved)
    assert again.status_code == 200
    assert again.get_json() == first | {"created": False}
    assert api.get(f"/flows/main/versions/{first['version']}").get_json()["layout"] == moved["layout"]


@pytest.mark.req("R21")
def test_a_broken_flow_is_refused_with_every_finding(api: Api, document: dict[str, Any]) -> None:
    del document["nodes"]["menu"]["exits"]["invalid"]
    document["nodes"]["agent"]["agent"] = "nobody"
    document["nodes"]["number"]["type"] = "sya"
    found = problem(api.post("/flows", document), 422, "flow_refused")
    assert {finding["node"] for finding in found["findings"]} >= {"menu", "number"}
    assert all(finding["message"] and finding["code"] for finding in found["findings"])
    assert api.get("/flows").get_json() == {"flows": []}
    (row,) = api.audit("flow")
    assert (row.action, row.outcome) == ("flow.upload", "flow_refused")


@pytest.mark.req("R21")
@pytest.mark.parametrize(
    ("reference", "node"),
    [
        ("agent", {"agent": {"type": "agent", "agent": "nobody"}}),
        ("calendar", {"welcome": {"type": "schedule", "calendar": "nothing"}}),
    ],
)
def test_what_a_flow_refers_to_must_exist(
    api: Api, document: dict[str, Any], reference: str, node: dict[str, Any]
) -> None:
    exits = {
        "agent": document["nodes"]["agent"]["exits"],
        "calendar": dict.fromkeys(("open", "closed", "holiday"), "menu"),
    }
    ((name, fields),) = node.items()
    document["nodes"][name] = fields | {"exits": exits[reference]}
    found = problem(api.post("/flows", document), 422, "flow_refused")
    assert [finding["node"] for finding in found["findings"] if finding["severity"] == "error"] == [name]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"id": "a", "id": "b"}', "bad_json"),
        (b"[]", "bad_json"),
        (b"[" * 100_000, "bad_json"),
    ],
)
def test_json_that_is_no_flow_is_a_finding(api: Api, body: bytes, code: str) -> None:
    answer = api.ask("POST", "/flows", data=body, content_type="application/json")
    found = problem(answer, 422, "flow_refused")
    assert [finding["code"] for finding in found["findings"]] == [code]


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b'{"name": "\xff"}'])
def test_what_is_no_json_is_refused(api: Api, body: bytes) -> None:
    answer = api.ask("POST", "/flows", data=body, content_type="application/json")
    problem(answer, 400, "malformed_request")


def test_text_that_can_not_be_stored_is_refused(api: Api, document: dict[str, Any]) -> None:
    found = problem(api.post("/flows", document | {"name": "a\0b"}), 422, "flow_refused")
    assert "bad_text" in {finding["code"] for finding in found["findings"]}


@pytest.mark.req("R25")
def test_warnings_come_with_the_version_and_stay_with_it(api: Api, document: dict[str, Any]) -> None:
    menu, previous = document["nodes"]["menu"], "menu"
    for depth in range(6):
        name = f"menu-{depth}"
        document["nodes"][name] = menu | {"keys": {"1": "agent"}, "exits": menu["exits"] | {"agent": "agent"}}
        del (nodes := document["nodes"])[name]["exits"]["number"]
        nodes[previous] = nodes[previous] | {"exits": nodes[previous]["exits"] | {"agent": name}}
        previous = name
    answer = api.post("/flows", document)
    assert answer.status_code == 201
    warnings = answer.get_json()["findings"]
    assert [finding["severity"] for finding in warnings] == ["warning"] * len(warnings) != []
    assert api.get("/flows/main").get_json()["versions"][0]["findings"] == warnings


@pytest.mark.req("R21", "R122")
def test_each_change_is_audited_counted_and_announced(api: Api, document: dict[str, Any]) -> None:
    before = api.announced.versions[-1]
    version = api.post("/flows", document, headers={"X-Request-Id": "upload-1"}).get_json()["version"]
    api.put("/flows/main/active", {"version": version}, headers={"X-Request-Id": "activate-1"})
    assert api.announced.versions[-1] == before + 1, "an upload concerns no call; an activation does"
    activated, uploaded, *_ = api.audit("flow:main")
    assert (uploaded.action, uploaded.outcome, uploaded.request_id) == ("flow.upload", "ok", "upload-1")
    assert (activated.action, activated.actor, activated.source) == ("flow.activate", "bootstrap", "127.0.0.1")
    assert activated.detail == {"version": version, "before": None, "routing_version": before + 1}


def test_what_is_not_there(api: Api, document: dict[str, Any]) -> None:
    problem(api.get("/flows/main"), 404, "flow_not_found")
    problem(api.get("/flows/main/versions/0123456789abcdef"), 404, "flow_not_found")
    problem(api.put("/flows/main/active", {"version": "0123456789abcdef"}), 404, "flow_not_found")
    api.post("/flows", document)
    problem(api.get("/flows/main/versions/0123456789abcdef"), 404, "flow_version_not_found")
    problem(api.put("/flows/main/active", {"version": "0123456789abcdef"}), 404, "flow_version_not_found")
    found = problem(api.put("/flows/main/active", {}), 422, "invalid_request")
    assert found["errors"] == [{"place": "version", "message": "Missing data for required field."}]


@pytest.mark.req("R21")
def test_a_version_whose_agent_is_gone_can_not_be_activated(api: Api, document: dict[str, Any]) -> None:
    version = api.post("/flows", document).get_json()["version"]
    assert api.delete("/agents/alice").status_code == 204, "no active flow names her"
    found = problem(api.put("/flows/main/active", {"version": version}), 422, "flow_refused")
    assert "alice" in found["findings"][0]["message"]
    assert api.get("/flows/main").get_json()["active_version"] is None


@pytest.mark.req("R21")
def test_a_draft_becomes_checked_and_active(api: Api, document: dict[str, Any]) -> None:
    document["nodes"]["agent"]["agent"] = "bob"
    problem(api.post("/flows", document), 422, "flow_refused")
    draft = api.ask("POST", "/flows?draft=true", json=document)
    assert draft.status_code == 201
    version = draft.get_json()["version"]
    assert (draft.get_json()["state"], draft.get_json()["findings"][0]["code"]) == ("draft", "missing_reference")
    problem(api.put("/flows/main/active", {"version": version}), 422, "flow_refused")
    check = f"/flows/main/versions/{version}/check"
    assert api.post(check, None).get_json()["state"] == "draft"

    api.put("/agents/bob", {"name": "Bob", "sip_password": "a-long-password"})
    checked = api.post(check, None).get_json()
    assert (checked["state"], checked["findings"]) == ("checked", [])
    (kept,) = api.get("/flows/main").get_json()["versions"]
    assert (kept["state"], kept["checked_by"], kept["findings"]) == ("checked", "bootstrap", [])
    assert api.put("/flows/main/active", {"version": version}).get_json()["versions"][0]["state"] == "active"
    assert [row.action for row in api.audit("flow:main")][:2] == ["flow.activate", "flow.check"]


@pytest.mark.parametrize("name", ["id", "name", "kind"])
def test_a_draft_has_at_least_a_name(api: Api, document: dict[str, Any], name: str) -> None:
    del document[name]
    found = problem(api.ask("POST", "/flows?draft=true", json=document), 422, "flow_refused")
    assert name in {finding["field"] for finding in found["findings"]}


def test_a_draft_that_can_not_be_stored(api: Api, document: dict[str, Any]) -> None:
    document["nodes"]["unserved"]["reason"] = "a\0b"
    found = problem(api.ask("POST", "/flows?draft=true", json=document), 422, "flow_refused")
    assert [finding["code"] for finding in found["findings"]] == ["bad_text"]


@pytest.mark.req("R21")
def test_the_difference_between_two_versions(api: Api, document: dict[str, Any]) -> None:
    v1 = api.post("/flows", document).get_json()["version"]
    api.put("/flows/main/active", {"version": v1})
    document["nodes"]["menu"]["timeout_ms"] = 9000
    v2 = api.post("/flows", document).get_json()["version"]
    found = api.get(f"/flows/main/difference?from=active&to={v2}").get_json()
    field = {"field": "timeout_ms", "before": 5000, "after": 9000}
    change = {"what": "changed", "part": "node", "name": "menu", "fields": [field]}
    assert found == {"flow": "main", "from": v1, "to": v2, "changes": [change]}
    problem(api.get("/flows/main/difference?from=active"), 422, "invalid_request")
    problem(api.get("/flows/main/difference?from=active&to=0123456789abcdef"), 404, "flow_version_not_found")
    problem(api.get("/flows/other/difference?from=active&to=active"), 404, "flow_not_found")


@pytest.mark.req("R21")
def test_flows_that_lead_to_each_other_for_ever(api: Api) -> None:
    def leading(flow: str, target: str) -> dict[str, Any]:
        node = {"type": "goto_flow", "flow": target} if target else {"type": "hangup"}
        envelope = {"schema": "callwright/flow/1", "id": flow, "name": flow, "kind": "inbound", "languages": ["cs"]}
        return {**envelope, "entry": "go", "nodes": {"go": node}}

    api.post("/flows", leading("day", ""))
    night = api.post("/flows", leading("night", "day")).get_json()["version"]
    api.put("/flows/night/active", {"version": night})
    (found,) = problem(api.post("/flows", leading("day", "night")), 422, "flow_refused")["findings"]
    assert (found["code"], found["path"]) == ("endless_flows", ["go"])
    assert "day -> night -> day" in found["message"]


@pytest.mark.req("R23")
def test_sound_files_that_are_missing_are_told(api: Api, document: dict[str, Any], tmp_path: Path) -> None:
    document["prompts"]["welcome"] = {"cs": "mine/cs.wav", "en": "mine/en.wav"}
    assert api.post("/flows", document).get_json()["findings"] == [], "no prompts directory is seen from here"
    (tmp_path / "prompts" / "mine").mkdir(parents=True)
    (tmp_path / "prompts" / "mine" / "cs.wav").touch()
    (found,) = api.post("/flows", document).get_json()["findings"]
    assert (found["severity"], found["code"], found["node"]) == ("warning", "missing_sound", "welcome")
    assert found["field"] == "prompts.welcome.en"
    assert found["path"] == ["answer", "welcome"]
