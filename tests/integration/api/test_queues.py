"""Queues, and agents in queues, over the API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from callwright.client import Client
from callwright.local.plan import Account
from callwright.local.provision import provision
from engine.domain.acd import AgentState, Strategy, Tier
from engine.domain.routing import AgentEntry, Announcements, Overflow, OverflowKind, OverflowReason, QueueEntry
from engine.store.routing import RoutingStore
from tests.integration.api.conftest import Api, problem

PASSWORD = "correct-horse-battery"
USUAL = {
    "strategy": "longest_idle",
    "priority": 0,
    "weight": 1.0,
    "ageing_per_min": 1.0,
    "tier_wait_s": 15,
    "ring_s": 20,
    "wrap_up_s": 0,
    "sticky_wait_s": 0,
    "accept": "answer",
    "whisper": "",
    "wait_flow": "",
    "music": "",
    "calendar": "",
    "overflow": {},
    "max_waiting": None,
    "max_wait_s": None,
    "service_level_s": 20,
    "announcements": {"first_after_s": 15, "position_every_s": None, "expected_wait_every_s": None},
}


def flow(flow_id: str, kind: str, node: Mapping[str, Any], exits: tuple[str, ...]) -> dict[str, Any]:
    return {
        "schema": "callwright/flow/1",
        "id": flow_id,
        "name": flow_id,
        "kind": kind,
        "languages": ["cs"],
        "entry": "node",
        "nodes": {"node": {**node, "exits": dict.fromkeys(exits, "bye")}, "bye": {"type": "hangup"}},
    }


def waiting_in(queue: str) -> dict[str, Any]:
    exits = ("finished", "timeout", "no_agents", "full", "closed")
    return flow("main", "inbound", {"type": "queue", "queue": queue}, exits)


def waiting_flow() -> dict[str, Any]:
    document = flow("hold", "queue_wait", {"type": "wait", "wait_ms": 5000}, ("done",))
    document["nodes"] = {"node": {"type": "wait", "wait_ms": 5000, "exits": {"done": "node"}}}
    return document


def put(api: Api, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = api.put(path, body)
    assert answer.status_code in (200, 201), answer.get_json()
    return dict(answer.get_json())


def to(kind: str, target: str) -> dict[str, str]:
    return {"kind": kind, "target": target}


def test_a_queue_needs_no_more_than_a_name(api: Api) -> None:
    assert put(api, "/queues/sales", {"name": "Sales"}) == {"id": "sales", "name": "Sales"} | USUAL
    assert RoutingStore(api.database).snapshot().queues == (QueueEntry(id="sales", name="Sales"),)


@pytest.mark.req("R3", "R30", "R32")
def test_all_settings_of_a_queue_reach_the_engines(api: Api) -> None:
    put(api, "/calendars/office", {"time_zone": "Europe/Prague"})
    put(api, "/agents/alice", {"name": "Alice", "sip_password": PASSWORD})
    put(api, "/queues/support", {"name": "Support"})
    assert api.post("/flows", waiting_flow()).status_code == 201
    assert api.post("/flows", flow("night", "inbound", {"type": "answer"}, ("next",))).status_code == 201
    body = {
        "name": "Sales",
        "strategy": "best_skill",
        "weight": 2,
        "wait_flow": "hold",
        "calendar": "office",
        "music": "general/cs/agents-busy.wav",
        "overflow": {
            "closed": to("flow", "night"),
            "full": to("queue", "support"),
            "no_agents": to("number", "+420777123456"),
            "timeout": to("agent", "alice"),
        },
        "max_waiting": 20,
        "announcements": {"position_every_s": 60},
    }
    shown = put(api, "/queues/sales", body)
    assert put(api, "/queues/sales", shown) == shown == api.get("/queues/sales").get_json()
    sales, _ = RoutingStore(api.database).snapshot().queues
    assert sales == QueueEntry(
        id="sales",
        name="Sales",
        strategy=Strategy.BEST_SKILL,
        weight=2.0,
        wait_flow="hold",
        calendar="office",
        music="general/cs/agents-busy.wav",
        overflow={
            OverflowReason.CLOSED: Overflow(OverflowKind.FLOW, "night"),
            OverflowReason.FULL: Overflow(OverflowKind.QUEUE, "support"),
            OverflowReason.NO_AGENTS: Overflow(OverflowKind.NUMBER, "+420777123456"),
            OverflowReason.TIMEOUT: Overflow(OverflowKind.AGENT, "alice"),
        },
        max_waiting=20,
        announcements=Announcements(position_every_s=60),
    )


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"strategy": "random"}, {"strategy"}),
        ({"accept": 1}, {"accept"}),
        ({"ring_s": 20.5}, {"ring_s"}),
        ({"weight": "NaN"}, {"weight"}),
        ({"overflow": {"closed": {"kind": "moon", "target": "x"}}}, {"overflow.closed.kind"}),
        ({"overflow": {"shut": to("queue", "q")}}, {"overflow.shut"}),
        ({"announcements": {"every_s": 1}}, {"announcements.every_s"}),
    ],
)
def test_what_does_not_fit_the_schema_is_named(api: Api, change: dict[str, Any], places: set[str]) -> None:
    found = problem(api.put("/queues/sales", {"name": "Sales"} | change), 422, "invalid_request")
    assert {error["place"] for error in found["errors"]} == places


FAULTS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"name": ""}, {"name": "is empty"}),
    (
        {"priority": 101, "weight": 0, "ring_s": 4, "announcements": {"position_every_s": 9}},
        {
            "priority": "101 is not within 0 to 100",
            "weight": "0.0 is not within 0.01 to 100",
            "ring_s": "4 is not within 5 to 120",
            "announcements.position_every_s": "9 is not within 10 to 3600",
        },
    ),
    (
        {"max_waiting": 0, "max_wait_s": 7201},
        {"max_waiting": "0 is not within 1 to 1000000", "max_wait_s": "7201 is not within 5 to 7200"},
    ),
    (
        {"whisper": "../secret.wav", "music": "general/cs/goodby.wav"},
        {
            "whisper": '"../secret.wav" is not a sound file below the prompts directory (support/cs.wav)',
            "music": "there is no sound file \"general/cs/goodby.wav\"; did you mean 'general/cs/goodbye.wav'?",
        },
    ),
    ({"calendar": "ofice"}, {"calendar": "there is no calendar \"ofice\"; did you mean 'office'?"}),
    ({"wait_flow": "tune"}, {"wait_flow": 'there is no flow "tune"; create it first'}),
    (
        {"wait_flow": "night"},
        {"wait_flow": '"night" is a flow of kind inbound; callers wait in one of kind queue_wait'},
    ),
    (
        {
            "overflow": {
                "closed": to("flow", "hold"),
                "full": to("queue", "suport"),
                "no_agents": to("agent", "bob"),
                "timeout": to("number", "112"),
            }
        },
        {
            "overflow.closed.target": '"hold" is a flow for waiting callers; it takes over no calls',
            "overflow.full.target": "there is no queue \"suport\"; did you mean 'support'?",
            "overflow.no_agents.target": 'there is no agent "bob"; create it first',
            "overflow.timeout.target": '"112" is an emergency number; no calls are sent there',
        },
    ),
    (
        {
            "overflow": {
                "closed": to("flow", "nihgt"),
                "full": to("number", "201"),
                "no_agents": to("number", "777 123 456"),
                "timeout": to("number", "x"),
            }
        },
        {
            "overflow.closed.target": "there is no flow \"nihgt\"; did you mean 'night'?",
            "overflow.full.target": '"201" is an internal number; a public one is needed (+420777123456)',
            "overflow.no_agents.target": '"777 123 456" is to be written as "+420777123456"',
            "overflow.timeout.target": '"x" is not a number that can be called',
        },
    ),
]


@pytest.mark.req("R13")
def test_no_number_leads_into_a_flow_for_waiting_callers(api: Api) -> None:
    api.post("/flows", waiting_flow())
    found = problem(api.put("/numbers/2001", {"flow": "hold"}), 422, "number_refused")
    assert found["errors"] == [{"place": "flow", "message": '"hold" is a flow for waiting callers; it takes no calls'}]


@pytest.mark.req("R21")
def test_no_flow_leads_into_one_for_waiting_callers(api: Api) -> None:
    upload = api.post("/flows", waiting_flow()).get_json()
    put(api, "/flows/hold/active", {"version": upload["version"]})
    for pinned in ({}, {"version": upload["version"]}):
        led = flow("main", "inbound", {"type": "goto_flow", "flow": "hold", **pinned}, ())
        led["nodes"].pop("bye")
        found = problem(api.post("/flows", led), 422, "flow_refused")
        assert [(each["code"], each["node"], each["field"]) for each in found["findings"]] == [
            ("bad_node", "node", "flow")
        ]


@pytest.mark.req("R3", "R13")
@pytest.mark.parametrize(("change", "faults"), FAULTS)
def test_a_queue_with_faults_is_refused_with_all_of_them(
    api: Api, tmp_path: Path, change: dict[str, Any], faults: dict[str, str]
) -> None:
    (tmp_path / "prompts").mkdir()
    put(api, "/calendars/office", {"time_zone": "Europe/Prague"})
    put(api, "/queues/support", {"name": "Support"})
    api.post("/flows", waiting_flow())
    api.post("/flows", flow("night", "inbound", {"type": "answer"}, ("next",)))
    found = problem(api.put("/queues/sales", {"name": "Sales"} | change), 422, "queue_refused")
    assert {error["place"]: error["message"] for error in found["errors"]} == faults
    problem(api.get("/queues/sales"), 404, "queue_not_found")


def test_an_id_that_flows_could_not_name_is_refused(api: Api) -> None:
    found = problem(api.put("/queues/Sales", {"name": "Sales"}), 422, "queue_refused")
    assert [error["place"] for error in found["errors"]] == ["id"]


@pytest.mark.req("R3")
def test_no_call_overflows_in_a_circle(api: Api) -> None:
    put(api, "/queues/a", {"name": "A"})
    put(api, "/queues/b", {"name": "B", "overflow": {"full": to("queue", "a")}})
    put(api, "/queues/c", {"name": "C", "overflow": {"closed": to("queue", "b"), "timeout": to("queue", "a")}})
    put(api, "/queues/d", {"name": "D", "overflow": {"closed": to("queue", "b"), "full": to("queue", "c")}})

    body = {"name": "A", "overflow": {"no_agents": to("queue", "d"), "closed": to("queue", "a")}}
    found = problem(api.put("/queues/a", body), 422, "queue_refused")
    assert {error["place"]: error["message"] for error in found["errors"]} == {
        "overflow.no_agents.target": "calls would go round: a (no_agents) → d (closed) → b (full) → a; "
        "lead one of them elsewhere",
        "overflow.closed.target": "calls would go round: a (closed) → a; lead one of them elsewhere",
    }
    put(api, "/queues/b", {"name": "B"})
    put(api, "/queues/c", {"name": "C", "overflow": {"closed": to("queue", "b")}})
    put(api, "/queues/a", body | {"overflow": {"no_agents": to("queue", "d")}})


@pytest.mark.req("R2", "R14", "R52")
def test_an_agents_skills_queues_and_phones_reach_the_engines(api: Api) -> None:
    for queue in ("sales", "support"):
        put(api, f"/queues/{queue}", {"name": queue})
    body = {
        "name": "Bob",
        "skills": {"czech": 10, "billing": 5},
        "queues": {"sales": {"level": 2, "position": 3}, "support": {}},
        "may_choose_queues": False,
        "mobile": "+420777123456",
        "mobile_in": ["logged_out", "break"],
    }
    shown = put(api, "/agents/bob", body | {"sip_password": PASSWORD})
    assert shown == body | {
        "id": "bob",
        "number": "",
        "queues": {"sales": {"level": 2, "position": 3}, "support": {"level": 1, "position": 1}},
    }
    assert put(api, "/agents/bob", shown) == shown == api.get("/agents/bob").get_json()
    assert RoutingStore(api.database).snapshot().agents == (
        AgentEntry(
            "bob",
            "Bob",
            skills={"czech": 10, "billing": 5},
            queues={"sales": Tier(2, 3), "support": Tier()},
            may_choose_queues=False,
            mobile="+420777123456",
            mobile_in=(AgentState.LOGGED_OUT, AgentState.BREAK),
        ),
    )
    assert put(api, "/agents/bob", shown | {"queues": {"support": {"level": 4}}})["queues"] == {
        "support": {"level": 4, "position": 1}
    }
    assert api.delete("/queues/sales").status_code == 204


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            {"skills": {"Czech": 5, "billing": 11}},
            {
                "skills.Czech": '"Czech" is not an id: '
                "a small letter, then small letters, digits, dashes, underscores, at most 64",
                "skills.billing": "11 is not within 1 to 10",
            },
        ),
        (
            {"queues": {"slaes": {}, "sales": {"level": 0, "position": 10_001}}},
            {
                "queues.slaes": "there is no queue \"slaes\"; did you mean 'sales'?",
                "queues.sales.level": "0 is not within 1 to 100",
                "queues.sales.position": "10001 is not within 1 to 10000",
            },
        ),
        ({"mobile_in": ["break"]}, {"mobile_in": "no mobile is given that could ring in break"}),
        ({"mobile": "777123456"}, {"mobile": '"777123456" is to be written as "+420777123456"'}),
    ],
)
def test_an_agent_with_faults_is_refused_with_all_of_them(
    api: Api, change: dict[str, Any], faults: dict[str, str]
) -> None:
    put(api, "/queues/sales", {"name": "Sales"})
    answer = api.put("/agents/bob", {"name": "Bob", "sip_password": PASSWORD} | change)
    found = problem(answer, 422, "agent_refused")
    assert {error["place"]: error["message"] for error in found["errors"]} == faults


def test_a_system_that_starts_again_leaves_its_agents_where_they_work(api: Api) -> None:
    class OverTheApi(Client):
        def _send(self, method: str, path: str, content: bytes | None, content_type: str) -> Any:
            answer = api.ask(method, path, data=content, content_type=content_type)
            assert answer.status_code in (200, 201), answer.get_json()
            return answer.get_json()

    def start() -> None:
        account = Account(id="alice", name="Alice", number="201", password=PASSWORD)
        provision(OverTheApi("", ""), [account], "2000", flow=flow("night", "inbound", {"type": "answer"}, ("next",)))

    start()
    put(api, "/queues/sales", {"name": "Sales"})
    body = {"name": "Alice", "skills": {"czech": 3}, "queues": {"sales": {"level": 2, "position": 1}}}
    shown = put(api, "/agents/alice", body | {"number": "201"})
    start()
    assert api.get("/agents/alice").get_json() == shown


def test_what_a_queue_needs_can_not_be_deleted(api: Api) -> None:
    put(api, "/calendars/office", {"time_zone": "Europe/Prague"})
    put(api, "/agents/alice", {"name": "Alice", "sip_password": PASSWORD})
    put(api, "/queues/support", {"name": "Support"})
    overflow = {"closed": to("agent", "alice"), "full": to("queue", "support")}
    put(api, "/queues/sales", {"name": "Sales", "calendar": "office", "overflow": overflow})
    for path in ("/calendars/office", "/agents/alice", "/queues/support"):
        kind = path.split("/")[1][:-1]
        assert problem(api.delete(path), 409, f"{kind}_in_use")["used_by"] == ["queue sales"]
    put(api, "/queues/sales", {"name": "Sales"})
    for path in ("/calendars/office", "/agents/alice", "/queues/support"):
        assert api.delete(path).status_code == 204


def test_a_queue_stays_while_agents_and_active_flows_need_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.services.flows.FEATURES", frozenset({"queues"}))
    put(api, "/queues/sales", {"name": "Sales"})
    put(api, "/agents/bob", {"name": "Bob", "sip_password": PASSWORD, "queues": {"sales": {}}})
    uploaded = api.post("/flows", waiting_in("sales"))
    assert uploaded.status_code == 201, uploaded.get_json()
    assert problem(api.delete("/queues/sales"), 409, "queue_in_use")["used_by"] == ["agent bob"]
    put(api, "/flows/main/active", {"version": uploaded.get_json()["version"]})
    assert problem(api.delete("/queues/sales"), 409, "queue_in_use")["used_by"] == ["flow main", "agent bob"]


@pytest.mark.req("R21")
@pytest.mark.parametrize(
    ("there", "hint"), [(("sales", "support"), "; did you mean 'sales'?"), ((), "; create it first")]
)
def test_a_flow_that_names_no_queue_there_is_refused(api: Api, there: tuple[str, ...], hint: str) -> None:
    for queue in there:
        put(api, f"/queues/{queue}", {"name": queue})
    answer = api.post("/flows", waiting_in("slaes"))
    assert answer.status_code == 422
    (finding,) = [each for each in answer.get_json()["findings"] if each["code"] == "missing_reference"]
    assert (finding["node"], finding["field"]) == ("node", "queue")
    assert finding["message"] == f"there is no queue 'slaes'{hint}"
