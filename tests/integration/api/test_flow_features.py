"""A flow that needs what the installation doesn't have is refused at upload, not when the first caller comes."""

from __future__ import annotations

import pytest

from engine.domain.features import FEATURES
from ivr_flows.node import REGISTRY
from tests.integration.api.conftest import Api


def needing(node: dict[str, object], exits: tuple[str, ...]) -> dict[str, object]:
    return {
        "schema": "callwright/flow/1",
        "id": "needy",
        "name": "Needy",
        "kind": "inbound",
        "languages": ["cs"],
        "entry": "node",
        "nodes": {"node": {**node, "exits": dict.fromkeys(exits, "bye")}, "bye": {"type": "hangup"}},
    }


@pytest.mark.req("R21")
def test_a_node_that_the_engine_can_not_run_is_refused(api: Api) -> None:
    assert REGISTRY["sms"].NEEDS == "sms"
    assert "sms" not in FEATURES, "then this test wants another node"
    answer = api.post("/flows", needing({"type": "sms", "text": "'x'"}, ("next", "error")))
    assert answer.status_code == 422
    (finding,) = answer.get_json()["findings"]
    assert (finding["code"], finding["node"]) == ("missing_feature", "node")
    assert finding["message"] == "the node type sms needs sms, which this installation doesn't have"


def test_a_node_that_every_engine_runs_is_taken(api: Api) -> None:
    answer = api.post("/flows", needing({"type": "wait", "wait_ms": 500}, ("done",)))
    assert answer.status_code == 201, answer.get_json()
