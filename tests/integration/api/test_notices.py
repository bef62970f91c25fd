"""Notices on general problems over the API (R24)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.domain.routing import NoticeEntry
from engine.store.routing import RoutingStore
from ivr_flows import library
from tests.integration.api.conftest import NOW_MS, Api, FixedClock, problem

SOUNDS = {"en": "general/en/closed.wav", "cs": "general/cs/closed.wav"}
BODY = {"name": "Outage", "sounds": SOUNDS}
OFF = {"id": "general", **BODY, "active": False, "until": None}
LATER = "2026-09-21T18:00:00.000Z"
LATER_MS = NOW_MS + 225 * 60_000


@pytest.fixture(autouse=True)
def _prompts(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()


def made(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.put("/notices/general", {**BODY, **more})
    assert answer.status_code in (200, 201), answer.get_json()
    return dict(answer.get_json())


def kept(api: Api) -> NoticeEntry:
    (notice,) = RoutingStore(api.database).snapshot().notices
    return notice


@pytest.mark.req("R24")
def test_a_notice_is_switched_on_and_off_with_one_call(api: Api) -> None:
    shown = made(api)
    assert OFF.items() <= shown.items()
    on = api.ask("POST", "/notices/general/on")
    assert (on.status_code, on.get_json()) == (200, shown | {"active": True})
    assert kept(api).is_on(NOW_MS)
    assert api.get("/notices").get_json() == {"notices": [on.get_json()]}
    off = api.ask("POST", "/notices/general/off")
    assert (off.status_code, off.get_json()) == (200, shown)
    assert not kept(api).is_on(NOW_MS)


def test_engines_are_told_of_every_switching(api: Api) -> None:
    made(api)
    api.post("/notices/general/on", {})
    api.post("/notices/general/off", {})
    assert api.announced.versions == [2, 3, 4]
    assert RoutingStore(api.database).version() == 4


@pytest.mark.req("R24")
def test_a_notice_switches_itself_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made(api)
    assert api.post("/notices/general/on", {"until": LATER}).get_json()["until"] == LATER
    assert (kept(api).is_on(LATER_MS - 1), kept(api).is_on(LATER_MS)) == (True, False)
    monkeypatch.setattr(FixedClock, "now_ms", lambda self: LATER_MS)
    shown = api.get("/notices/general").get_json()
    assert (shown["active"], shown["until"]) == (False, None)
    assert api.get("/notices").get_json()["notices"] == [shown]
    assert made(api, active=shown["active"])["active"] is False


def test_what_was_got_can_be_put_back(api: Api) -> None:
    made(api)
    on = api.post("/notices/general/on", {"until": LATER}).get_json()
    assert api.put("/notices/general", on).get_json() == on == api.get("/notices/general").get_json()
    assert list(on["sounds"]) == list(kept(api).sounds) == ["en", "cs"], "the first language stands in for the others"


def test_a_change_leaves_it_as_it_was_unless_it_says_so(api: Api) -> None:
    assert made(api, active=True, until=LATER)["active"]
    renamed = made(api, name="Outage of the network")
    assert (renamed["name"], renamed["active"], renamed["until"]) == ("Outage of the network", True, LATER)
    assert made(api, active=False)["active"] is False


@pytest.mark.req("R122")
def test_who_switched_it_is_told(api: Api) -> None:
    made(api)
    api.post("/notices/general/on", {"until": LATER})
    problem(api.post("/notices/general/on", {"until": "2026-01-01T00:00:00Z"}), 422, "notice_refused")
    api.post("/notices/general/off", {})
    by = api.get("/notices/general").get_json()["changed_by"]
    history = api.get("/notices/general/history").get_json()["history"]
    assert [(each["action"], each["active"], each["until"]) for each in history] == [
        ("notice.off", False, None),
        ("notice.on", True, LATER),
        ("notice.put", False, None),
    ]
    assert {(each["by"], each["at"]) for each in history} == {(by, "2026-09-21T14:15:00.000Z")}
    assert [row.outcome for row in api.audit("notice:general")] == ["ok", "notice_refused", "ok", "ok"]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"name": ""}, {"name": "is empty"}),
        ({"sounds": {}}, {"sounds": "is empty; name a sound file for at least one language"}),
        (
            {"sounds": {"czech": "general/cs/closed.wav", "cs": "general/cs/close.wav", "en": "../x.wav"}},
            {
                "sounds.czech": "\"czech\" is not a language of two letters, like 'cs'",
                "sounds.cs": "there is no sound file \"general/cs/close.wav\"; did you mean 'general/cs/closed.wav'?",
                "sounds.en": '"../x.wav" is not a sound file below the prompts directory (support/cs.wav)',
            },
        ),
        ({"active": True, "until": "2026-09-21T14:15:00Z"}, {"until": "is not in the future"}),
        ({"active": False, "until": LATER}, {"until": "is only for a notice that is on"}),
    ],
)
def test_a_notice_with_faults_is_refused_with_all_of_them(
    api: Api, change: dict[str, Any], faults: dict[str, str]
) -> None:
    found = problem(api.put("/notices/general", BODY | change), 422, "notice_refused")
    assert {error["place"]: error["message"] for error in found["errors"]} == faults
    assert RoutingStore(api.database).snapshot().notices == ()


def test_an_end_without_a_beginning_is_refused(api: Api) -> None:
    found = problem(api.put("/notices/general", BODY | {"until": LATER}), 422, "invalid_request")
    assert [error["place"] for error in found["errors"]] == ["until"]


def test_an_id_that_flows_could_not_name_is_refused(api: Api) -> None:
    found = problem(api.put("/notices/General", BODY), 422, "notice_refused")
    assert [error["place"] for error in found["errors"]] == ["id"]


ASKS: list[Callable[[Api], Any]] = [
    lambda api: api.get("/notices/none"),
    lambda api: api.get("/notices/none/history"),
    lambda api: api.post("/notices/none/on", {}),
    lambda api: api.post("/notices/none/off", {}),
    lambda api: api.delete("/notices/none"),
]


@pytest.mark.parametrize("ask", ASKS, ids=["get", "history", "on", "off", "delete"])
def test_a_notice_that_is_not_there(api: Api, ask: Callable[[Api], Any]) -> None:
    problem(ask(api), 404, "notice_not_found")


def flow(notice: str) -> dict[str, Any]:
    node = {"type": "notice", "notice": notice, "exits": {"active": "bye", "inactive": "bye"}}
    return {
        "schema": "callwright/flow/1",
        "id": "main",
        "name": "Main",
        "kind": "inbound",
        "languages": ["cs"],
        "entry": "answer",
        "nodes": {"answer": {"type": "answer", "exits": {"next": "node"}}, "node": node, "bye": {"type": "hangup"}},
    }


@pytest.mark.req("R21")
def test_a_flow_that_names_no_notice_there_is_refused(api: Api) -> None:
    made(api)
    answer = api.post("/flows", flow("genral"))
    assert answer.status_code == 422
    (finding,) = answer.get_json()["findings"]
    assert (finding["code"], finding["node"], finding["field"]) == ("missing_reference", "node", "notice")
    assert finding["message"] == "there is no notice 'genral'; did you mean 'general'?"


def test_a_notice_stays_while_an_active_flow_needs_it(api: Api) -> None:
    made(api)
    uploaded = api.post("/flows", flow("general"))
    assert uploaded.status_code == 201, uploaded.get_json()
    api.put("/flows/main/active", {"version": uploaded.get_json()["version"]})
    assert problem(api.delete("/notices/general"), 409, "notice_in_use")["used_by"] == ["flow main"]
    api.put("/notices/other", BODY)
    other = api.post("/flows", flow("other")).get_json()
    api.put("/flows/main/active", {"version": other["version"]})
    assert api.delete("/notices/general").status_code == 204
    problem(api.get("/notices/general"), 404, "notice_not_found")


@pytest.mark.req("R21", "R24")
def test_the_template_can_be_uploaded_once_the_notice_is_there(api: Api) -> None:
    def missing() -> set[str]:
        findings = api.post("/flows", library.template("problem_notice")).get_json()["findings"]
        return {each["message"].partition(";")[0] for each in findings if each["code"] == "missing_reference"}

    api.post("/flows", flow("general") | {"nodes": {"node": {"type": "hangup"}}, "entry": "node"})
    assert missing() == {"there is no notice 'general'"}
    made(api)
    assert missing() == set()
