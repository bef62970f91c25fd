"""The examples of the documentation are real."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

import ivr_flows
from ivr_flows.node import REGISTRY
from ivr_flows.salvage import read_node

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def example() -> dict[str, Any]:
    flow: dict[str, Any] = json.loads(blocks("flows.md", "json")[0])
    return flow


@pytest.mark.req("R21")
def test_the_flow_is_flawless() -> None:
    assert ivr_flows.check(example()) == []


@pytest.mark.req("R21")
def test_the_findings_are_told_like_this() -> None:
    flow = copy.deepcopy(example())
    flow["nodes"]["alice"]["exits"].update(busy="alicia", no_answer="sorry")
    del flow["prompts"]["sorry"]["cs"]
    told = [str(finding) for finding in ivr_flows.check(flow)]
    assert told == blocks("flows.md", "text")[0].splitlines()


def test_all_codes_and_nodes_are_in_it() -> None:
    text = (DOCS / "flows.md").read_text(encoding="utf-8")
    broken = Path(__file__).parents[2] / "golden" / "broken"
    for file in broken.glob("*.json"):
        for finding in json.loads(file.read_text(encoding="utf-8"))["findings"]:
            assert f"`{finding['code']}`" in text
    assert all(f"| [{name}](nodes/{name}.md) |" in text for name in REGISTRY)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_example_of_a_node_is_one(name: str) -> None:
    (block,) = blocks(f"nodes/{name}.md", "json")
    ((_, node),) = json.loads(f"{{{block}}}").items()
    read = read_node(REGISTRY[name], node)
    assert node["type"] == name
    assert set(node.get("exits", {})) == set(read.exits())
