from __future__ import annotations

from typing import Any

import pytest

from engine.domain.routing import AgentEntry, NumberRoute, TrunkEntry
from engine.store.routing import RoutingStore
from ivr_flows import library
from tests.integration.api.conftest import Api, problem

PASSWORD = "correct-horse-battery"
HOURS = {"time_zone": "Europe/Prague", "weekly": {"mon": ["08:00-12:00", "13:00-17:00"]}, "holidays": {"country": "CZ"}}


def upload(api: Api) -> str:
    api.put("/agents/alice", {"name": "Alice", "sip_password": PASSWORD})
    return str(api.post("/flows", library.template("main")).get_json()["version"])


CASES = [
    ("/agents/bob", {"name": "Bob Novák", "number": "201", "sip_password": PASSWORD}, {"sip_password"}),
    ("/trunks/o2", {"proxy": "192.0.2.1:5070", "max_channels": 30}, set()),
    ("/trunks/cetin", {"proxy": "sip.example", "networks": ["192.0.2.0/24"], "username": "u", "register": True,
                       "password": PASSWORD, "name": "CETIN", "ping_s": 30, "prefix": "00"}, {"password"}),
    ("/calendars/office", HOURS, set()),
    ("/queues/sales", {"name": "Sales", "overflow": {"full": {"kind": "number", "target": "+420777000111"}}}, set()),
]  # fmt: skip


@pytest.mark.req("R120", "R122")
@pytest.mark.parametrize(("path", "body", "hidden"), CASES, ids=[path for path, *_ in CASES])
def test_put_get_list_put_back_delete(api: Api, path: str, body: dict[str, Any], hidden: set[str]) -> None:
    collection, key = path.rsplit("/", 1)
    problem(api.get(path), 404, f"{collection[1:-1]}_not_found")
    created = api.put(path, body)
    assert created.status_code == 201
    shown = created.get_json()
    assert shown["id"] == key
    assert shown.items() >= {name: value for name, value in body.items() if name not in hidden}.items()
    assert not hidden & shown.keys()
    assert api.get(path).get_json() == shown
    assert api.get(collection).get_json() == {collection[1:]: [shown]}
    again = api.put(path, shown)
    assert (again.status_code, again.get_json()) == (200, shown), "what was got can be put back"
    assert api.delete(path).status_code == 204
    problem(api.get(path), 404, f"{collection[1:-1]}_not_found")
    problem(api.delete(path), 404, f"{collection[1:-1]}_not_found")
    name = collection[1:-1]
    trail = [(row.action, row.outcome) for row in api.audit(f"{name}:{key}")][::-1]
    assert trail == [(f"{name}.put", "ok")] * 2 + [(f"{name}.delete", "ok"), (f"{name}.delete", f"{name}_not_found")]
    assert api.announced.versions == [2, 3, 4], "a change that failed is neither counted nor announced"
    assert PASSWORD not in repr(api.audit())


@pytest.mark.req("R11")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("222 111 000", "+420222111000"),
        ("00420222111000", "+420222111000"),
        ("+420222111000", "+420222111000"),
        ("2001", "2001"),
        ("00420222*", "+420222*"),
        ("*", "*"),
    ],
)
def test_a_number_is_kept_in_its_one_form(api: Api, given: str, kept: str) -> None:
    upload(api)
    answer = api.put(f"/numbers/{given}", {"flow": "main", "record": True})
    assert answer.status_code == 201
    assert answer.get_json() == {
        "pattern": kept,
        "flow": "main",
        "language": "cs",
        "country": "CZ",
        "record": True,
        "trunk": "",
        "max_channels": None,
        "fallback": "",
    }
    assert api.get(f"/numbers/{given}").get_json() == api.get(f"/numbers/{kept}").get_json() == answer.get_json()
    assert api.put(f"/numbers/{kept}", {"flow": "main", "language": "en"}).status_code == 200
    assert len(api.get("/numbers").get_json()["numbers"]) == 1
    assert api.delete(f"/numbers/{given}").status_code == 204
    problem(api.delete(f"/numbers/{given}"), 404, "number_not_found")


@pytest.mark.req("R13")
@pytest.mark.parametrize(
    ("pattern", "body", "places"),
    [
        ("112", {"flow": "main"}, {"pattern"}),
        ("hello", {"flow": "main"}, {"pattern"}),
        ("2001", {"flow": "nothing"}, {"flow"}),
        ("2001", {"flow": "main", "trunk": "nothing"}, {"trunk"}),
        ("+420222111000", {"flow": "main", "fallback": "222 111 000"}, {"fallback"}),
        (
            "2001",
            {"flow": "", "language": "cze", "country": "XX", "fallback": "x", "max_channels": 0},
            {"flow", "language", "country", "fallback", "max_channels"},
        ),
    ],
)
def test_a_number_with_faults_is_refused_with_all_of_them(
    api: Api, pattern: str, body: dict[str, Any], places: set[str]
) -> None:
    upload(api)
    found = problem(api.put(f"/numbers/{pattern}", body), 422, "number_refused")
    assert {error["place"] for error in found["errors"]} == places
    assert api.get("/numbers").get_json() == {"numbers": []}


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        ("/agents/bob", {"name": "Bob"}, {"sip_password"}),
        ("/agents/bob", {"name": "", "sip_password": "pw-7", "number": "+420222111000"},
         {"sip_password", "number", "name"}),
        ("/agents/Bob", {"name": "Bob", "sip_password": PASSWORD}, {"id"}),
        ("/agents/bob", {"name": "Bob", "sip_password": PASSWORD, "number": "200"}, {"number"}),
        ("/trunks/o2", {"proxy": "not a host"}, {"proxy", "networks"}),
        ("/trunks/o2", {"proxy": "192.0.2.1", "register": True, "max_channels": 0, "caller_id": "x"},
         {"register", "max_channels", "caller_id"}),
        ("/trunks/o2", {"proxy": "192.0.2.1", "networks": ["192.0.2.1", "0.0.0.0/0", "x"]},
         {"networks[1]", "networks[2]"}),
        ("/calendars/office", HOURS | {"time_zone": "Mars", "weekly": {"mon": ["8-12"], "tuesday": []}},
         {"time_zone", "weekly.mon[0]", "weekly.tuesday"}),
        ("/calendars/office", HOURS | {"dates": [{"date": "24. 12.", "hours": []}], "holidays": {"country": "QQ"}},
         {"dates[0].date", "holidays.country"}),
    ],
)  # fmt: skip
def test_faults_are_reported_all_at_once_with_their_places(
    api: Api, path: str, body: dict[str, Any], places: set[str]
) -> None:
    api.put("/agents/alice", {"name": "Alice", "sip_password": PASSWORD, "number": "200"})
    kind = path.split("/")[1][:-1]
    found = problem(api.put(path, body), 422, f"{kind}_refused")
    assert {error["place"] for error in found["errors"]} == places
    problem(api.get(path), 404, f"{kind}_not_found")
    assert "pw-7" not in repr(found), "a password stands in no answer"


def test_a_password_stays_when_it_is_left_out(api: Api) -> None:
    api.put("/agents/bob", {"name": "Bob", "sip_password": PASSWORD})
    assert api.put("/agents/bob", {"name": "Robert"}).status_code == 200
    assert RoutingStore(api.database).credentials().agents == {"bob": PASSWORD}


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        ("/agents/bob", {"nmae": "Bob"}, {"name", "nmae"}),
        ("/agents/bob", {"name": 7}, {"name"}),
        ("/agents/bob", {"id": "alice", "name": "Bob"}, {"id"}),
        ("/numbers/2001", {"flow": "main", "max_channels": "many"}, {"max_channels"}),
        ("/numbers/2001", {"pattern": "2002", "flow": "main"}, {"pattern"}),
        ("/trunks/o2", {"proxy": "192.0.2.1", "networks": ["192.0.2.1", 7]}, {"networks[1]"}),
        ("/calendars/c", {"time_zone": "Europe/Prague", "dates": [{"date": "2026-12-24"}]}, {"dates[0].hours"}),
        ("/calendars/c", {"time_zone": "Europe/Prague", "weekly": {"mon": "08:00-12:00"}}, {"weekly.mon.value"}),
        ("/agents/bob", ["name"], {"_schema"}),
    ],
)
def test_what_does_not_fit_the_schema_is_named(api: Api, path: str, body: Any, places: set[str]) -> None:
    found = problem(api.put(path, body), 422, "invalid_request")
    assert {error["place"] for error in found["errors"]} == places


def test_what_is_in_use_can_not_be_deleted(api: Api) -> None:
    version = upload(api)
    api.put("/flows/main/active", {"version": version})
    api.put("/trunks/o2", {"proxy": "192.0.2.1"})
    api.put("/numbers/2001", {"flow": "main", "trunk": "o2"})
    assert problem(api.delete("/agents/alice"), 409, "agent_in_use")["used_by"] == ["flow main"]
    assert problem(api.delete("/trunks/o2"), 409, "trunk_in_use")["used_by"] == ["number 2001"]


def test_engines_get_it_all_in_one_snapshot(api: Api) -> None:
    version = upload(api)
    api.put("/flows/main/active", {"version": version})
    api.put("/trunks/o2", {"proxy": "192.0.2.1", "networks": ["192.0.2.0/28"]})
    api.put("/numbers/+420222111000", {"flow": "main", "trunk": "o2", "max_channels": 5})
    api.put("/calendars/office", HOURS)
    snapshot = RoutingStore(api.database).snapshot()
    assert snapshot.version == api.announced.versions[-1]
    assert snapshot.numbers == (NumberRoute("+420222111000", "main", trunk="o2", max_channels=5),)
    assert snapshot.agents == (AgentEntry("alice", "Alice"),)
    assert snapshot.trunks == (TrunkEntry("o2", "192.0.2.1", networks=("192.0.2.0/28",)),)
    assert snapshot.calendars == {"office": HOURS}
    assert snapshot.active_flows == {"main": version}
