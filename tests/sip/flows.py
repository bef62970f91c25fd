"""Flows for calls that are to be short: one prompt, one menu, one agent."""

from __future__ import annotations

from typing import Any

PROMPT_S = 0.68
"""How long every prompt of these flows is."""
RING_TIMEOUT_S = 5
KEY_TIMEOUT_MS = 4000


def _play(then: str) -> dict[str, Any]:
    return {"type": "play", "prompts": ["short"], "exits": {"done": then, "error": then}}


def _flow(name: str, nodes: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": "callwright/flow/1",
        "id": name,
        "name": name,
        "kind": "inbound",
        "languages": ["en"],
        "entry": next(iter(nodes)),
        "prompts": {"short": {"en": "general/en/thank-you.wav"}},
        "nodes": nodes,
    }


def long_flow() -> dict[str, Any]:
    """A prompt that takes longer than a test."""
    nodes = {
        "answer": {"type": "answer", "exits": {"next": "long"}},
        "long": _play("hangup"),
        "hangup": {"type": "hangup"},
    }
    return _flow("long", nodes) | {"prompts": {"short": {"en": "prompts/long.wav"}}}


def short_flow() -> dict[str, Any]:
    """Answers, asks for a key: 1 is alice, 2 is bob. Each way out has a node of its own."""
    agent = {
        "type": "agent",
        "ring_timeout_s": RING_TIMEOUT_S,
        "exits": {"finished": "hangup", "busy": "busy", "no_answer": "no-answer", "not_ready": "away"},
    }
    return _flow(
        "short",
        {
            "answer": {"type": "answer", "exits": {"next": "menu"}},
            "menu": {
                "type": "menu",
                "prompts": ["short"],
                "keys": {"1": "alice", "2": "bob"},
                "timeout_ms": KEY_TIMEOUT_MS,
                "attempts": 1,
                "exits": {"alice": "alice", "bob": "bob", "no_input": "goodbye", "invalid": "goodbye"},
            },
            "alice": {**agent, "agent": "alice"},
            "bob": {**agent, "agent": "bob"},
            "busy": _play("unserved"),
            "no-answer": _play("unserved"),
            "away": _play("unserved"),
            "goodbye": _play("hangup"),
            "unserved": {"type": "hangup", "reason": "no agent"},
            "hangup": {"type": "hangup"},
        },
    )


def ringing_flow() -> dict[str, Any]:
    """Rings alice while the caller hears the ringing tone; the call is answered by her, or refused."""
    return _flow(
        "ringing",
        {
            "ring": {"type": "answer", "mode": "ringing", "exits": {"next": "alice"}},
            "alice": {
                "type": "agent",
                "agent": "alice",
                "ring_timeout_s": RING_TIMEOUT_S,
                "exits": {"finished": "hangup", "busy": "busy", "no_answer": "no-answer", "not_ready": "no-answer"},
            },
            "busy": {"type": "hangup", "cause": "USER_BUSY"},
            "no-answer": {"type": "hangup", "cause": "NO_ANSWER"},
            "hangup": {"type": "hangup"},
        },
    )
