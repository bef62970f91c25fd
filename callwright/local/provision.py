"""What a fresh system needs before it can take a call, put there over the admin API as an admin would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from callwright.client import Client, path
from callwright.local.plan import Account


@dataclass(frozen=True, slots=True)
class Activated:
    """The flow that is active now."""

    id: str
    version: str


def provision(
    client: Client, agents: Iterable[Account], number: str, *, flow: Mapping[str, Any], language: str = "cs"
) -> Activated:
    """Agents, the flow (uploaded and activated), and the number that leads to it, its calls recorded.

    May be done again: what is there already stays as it is. Raises ApiError.
    """
    there = {each["id"]: each for each in client.get("/agents")["agents"]}
    for agent in agents:
        body = there.get(agent.id, {}) | {"name": agent.name, "number": agent.number, "sip_password": agent.password}
        client.put(path("agents", agent.id), body)
    uploaded = client.post("/flows", flow)
    client.put(path("flows", flow["id"], "active"), {"version": uploaded["version"]})
    client.put(path("numbers", number), {"flow": flow["id"], "language": language, "record": True})
    return Activated(flow["id"], uploaded["version"])
