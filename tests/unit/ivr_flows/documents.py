"""Small documents for tests of the checks."""

from __future__ import annotations

from typing import Any

import ivr_flows


def codes(document: Any, world: ivr_flows.World | None = None) -> list[str]:
    return [finding.code for finding in ivr_flows.check(document, world)]


def flow(nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": "callwright/flow/1",
        "id": "f",
        "name": "F",
        "kind": "inbound",
        "languages": ["cs"],
        "entry": next(iter(nodes)),
        "prompts": {"p": {"cs": "f/p.wav"}},
        "nodes": nodes,
        **more,
    }


def play(target: str) -> dict[str, Any]:
    return {"type": "play", "prompts": ["p"], "exits": {"done": target, "error": target}}
