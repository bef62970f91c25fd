"""The node types, one file each. Importing this package enters them all in `ivr_flows.node.REGISTRY`."""

from __future__ import annotations

from ivr_flows.nodes import (
    agent,
    answer,
    branch,
    collect,
    dial,
    goto_flow,
    hangup,
    menu,
    play,
    record,
    say,
    schedule,
    set,
)

__all__ = [
    "agent",
    "answer",
    "branch",
    "collect",
    "dial",
    "goto_flow",
    "hangup",
    "menu",
    "play",
    "record",
    "say",
    "schedule",
    "set",
]
