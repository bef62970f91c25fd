"""Contacts over the API: one by one, by number, and in batches (R110)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from admin_api.access import LINES, MAX_BATCH_BYTES
from admin_api.app import MAX_BODY_BYTES
from engine.services.contacts import MAX_BATCH
from tests.integration.api.conftest import Api, problem

FIELDS = {f"field_{number}": f"hodnota č. {number}" for number in range(15)}
JAN = {
    "name": "Jan Novák",
    "status": "vip",
    "numbers": ["+420777123456", "+420222111000"],
    "fields": FIELDS,
}
NOBODY = {"name": "", "status": "", "numbers": [], "fields": {}}


def batch(api: Api, rows: list[Any]) -> dict[str, Any]:
    answer = api.post("/contacts/batch", rows)
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def lines(api: Api, content: str) -> TestResponse:
    return api.ask("POST", "/contacts/batch", data=content.encode(), content_type=LINES)


def keys_of(api: Api, number: str) -> list[str]:
    answer = api.get("/contacts", query_string={"number": number})
    assert answer.status_code == 200, answer.get_json()
    return [each["key"] for each in answer.get_json()["contacts"]]


@pytest.mark.req("R110")
def test_a_contact_comes_back_as_it_was_put(api: Api) -> None:
    put = api.put("/contacts/10000420", JAN)
    assert (put.status_code, put.get_json()) == (201, {"key": "10000420"} | JAN)
    again = api.put("/contacts/10000420", put.get_json())
    assert (again.status_code, again.get_json()) == (200, put.get_json())
    assert api.get("/contacts/10000420").get_json() == put.get_json()


def test_a_contact_is_written_whole(api: Api) -> None:
    api.put("/contacts/1", JAN)
    assert api.put("/contacts/1", {}).get_json() == {"key": "1"} | NOBODY
    assert keys_of(api, "+420777123456") == []


def test_a_contact_is_removed_with_its_numbers(api: Api) -> None:
    api.put("/contacts/1", JAN)
    assert api.delete("/contacts/1").status_code == 204
    assert keys_of(api, "+420777123456") == []
    for answer in (api.get("/contacts/1"), api.delete("/contacts/1")):
        problem(answer, 404, "contact_not_found")


@pytest.mark.parametrize("key", ["850101/1234", "a@b.cz", "CZ:42", "batch"])
def test_the_customers_own_keys(api: Api, key: str) -> None:
    assert api.put(f"/contacts/{key}", JAN).status_code == 201
    assert api.get(f"/contacts/{key}").get_json()["key"] == key


@pytest.mark.req("R11", "R110")
def test_numbers_in_any_form_and_people_who_share_one(api: Api) -> None:
    shown = api.put("/contacts/1", JAN | {"numbers": ["777 123 456", "00420 777123456", "222111000"]}).get_json()
    assert shown["numbers"] == ["+420777123456", "+420222111000"]
    api.put("/contacts/b", {"numbers": ["+420222111000"]})
    api.put("/contacts/B", {"numbers": ["+420222111000"]})
    assert keys_of(api, "222 111 000") == ["B", "b", "1"], "whose main number it is first, then by the key"
    assert api.get("/contacts", query_string={"number": "777123456"}).get_json() == {"contacts": [shown]}


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            {"numbers": ["12", "112", "x", "+420777123456"]},
            {
                "numbers[0]": '"12" is an internal number; a public one is needed (+420777123456)',
                "numbers[1]": '"112" is an emergency number; no calls are sent there',
                "numbers[2]": '"x" is not a number that can be called',
            },
        ),
        (
            {"fields": {"City": "Brno", "name": "Jan", "ok": "x" * 1001}, "status": "x" * 1001},
            {
                "fields.City": "a field is named with up to 40 small letters, digits and '_', the first a letter",
                "fields.name": "every contact has this one; it stands beside `fields`, not in it",
                "fields.ok": "has 1001 characters, at most 1000",
                "status": "has 1001 characters, at most 1000",
            },
        ),
        (
            {"numbers": ["+420777123456"] * 51, "fields": {f"f{n}": "" for n in range(101)}},
            {"numbers": "51 are too many, at most 50", "fields": "101 are too many, at most 100"},
        ),
    ],
)
def test_a_contact_with_faults_is_refused_with_all_of_them(
    api: Api, change: dict[str, Any], faults: dict[str, str]
) -> None:
    found = problem(api.put("/contacts/1", JAN | change), 422, "contact_refused")
    assert {error["place"]: error["message"] for error in found["errors"]} == faults
    problem(api.get("/contacts/1"), 404, "contact_not_found")


def test_a_key_that_is_none(api: Api) -> None:
    found = problem(api.put("/contacts/-1", JAN), 422, "contact_refused")
    assert [error["place"] for error in found["errors"]] == ["key"]


def test_what_does_not_fit_the_schema_is_named(api: Api) -> None:
    found = problem(api.put("/contacts/1", {"fields": {"age": 42}, "phone": "1"}), 422, "invalid_request")
    assert {error["place"]: error["message"] for error in found["errors"]} == {
        "fields.age.value": "Not a valid string.",
        "phone": "Unknown field.",
    }


def test_a_number_that_is_none_is_not_looked_for(api: Api) -> None:
    problem(api.get("/contacts", query_string={"number": "x"}), 422, "contact_refused")
    problem(api.get("/contacts"), 422, "invalid_request")


@pytest.mark.req("R110")
def test_a_batch_keeps_the_good_rows_and_tells_of_the_bad_ones(api: Api) -> None:
    api.put("/contacts/2", JAN)
    outcome = batch(
        api,
        [
            {"key": "1", **JAN},
            {"key": "2", "name": "Eva", "numbers": ["x"]},
            {"key": "3", "name": 3},
            {"name": "Nobody"},
            "text",
            {"key": "1", "name": "Another"},
            {"key": "2", "name": "Eva", "numbers": ["602 000 001"]},
        ],
    )
    assert (outcome["created"], outcome["changed"]) == (1, 1)
    assert [(each["index"], each["key"], *each["errors"]) for each in outcome["refused"]] == [
        (1, "2", {"place": "numbers[0]", "message": '"x" is not a number that can be called'}),
        (2, "3", {"place": "name", "message": "Not a valid string."}),
        (3, "", {"place": "key", "message": "Missing data for required field."}),
        (4, "", {"place": "", "message": "Invalid input type."}),
        (5, "1", {"place": "key", "message": "an earlier row of this batch has it too, and was kept"}),
    ]
    assert api.get("/contacts/1").get_json()["name"] == "Jan Novák"
    assert api.get("/contacts/2").get_json() == NOBODY | {"key": "2", "name": "Eva", "numbers": ["+420602000001"]}
    problem(api.get("/contacts/3"), 404, "contact_not_found")


@pytest.mark.req("R122")
def test_a_batch_is_one_row_of_the_audit_trail(api: Api) -> None:
    batch(api, [{"key": "1"}, {"key": "2"}, {"key": "-"}])
    (row,) = api.audit("contacts")
    assert (row.action, row.outcome, row.detail) == (
        "contact.batch",
        "ok",
        {"created": 2, "changed": 0, "refused": 1},
    )


@pytest.mark.req("R110")
def test_a_batch_of_lines(api: Api) -> None:
    answer = lines(api, '{"key": "1", "name": "Jan"}\n\r\n{"key": "2", "na\n[]\n{"key": "3"}\r\n')
    assert answer.status_code == 200, answer.get_json()
    found = answer.get_json()
    assert (found["created"], found["changed"]) == (2, 0)
    broken, listed = found["refused"]
    assert (broken["line"], broken["errors"][0]["message"][:11]) == (3, "is no JSON:")
    assert (listed["line"], listed["errors"]) == (4, [{"place": "", "message": "Invalid input type."}])
    assert api.get("/contacts/3").status_code == 200


@pytest.mark.req("R110")
def test_some_thousands_at_once(api: Api) -> None:
    rows = [
        {"key": f"c{n}", "name": f"Name {n}", "numbers": [f"+4206{n:08d}", "+420222111000"], "fields": FIELDS}
        for n in range(MAX_BATCH)
    ]
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert MAX_BODY_BYTES < len(content.encode()) < MAX_BATCH_BYTES
    assert lines(api, content).get_json() == {"created": MAX_BATCH, "changed": 0, "refused": []}
    assert batch(api, rows[:2000]) == {"created": 0, "changed": 2000, "refused": []}
    assert keys_of(api, "+420600004999") == ["c4999"]
    assert len(keys_of(api, "+420222111000")) == MAX_BATCH


def test_a_batch_that_is_none(api: Api) -> None:
    problem(api.post("/contacts/batch", {"key": "1"}), 422, "invalid_request")
    problem(api.ask("POST", "/contacts/batch", data=b"[", content_type="application/json"), 400, "malformed_request")
    problem(api.ask("POST", "/contacts/batch", data=b"[]", content_type="text/csv"), 415, "not_json")
    many = problem(api.post("/contacts/batch", [{}] * (MAX_BATCH + 1)), 422, "invalid_request")
    assert many["errors"][0]["message"].startswith(f"{MAX_BATCH + 1} contacts are too many for one request")


def test_a_line_that_is_nested_too_deeply_is_told(api: Api) -> None:
    (refused,) = lines(api, "[" * 100_000).get_json()["refused"]
    assert refused["line"] == 1
