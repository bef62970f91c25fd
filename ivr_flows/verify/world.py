"""What the checks may ask about everything besides the flow itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol

WorldKind = Literal[
    "flow", "agent", "calendar", "trunk", "queue", "notice", "prompt", "voice", "feature", "origin", "secret"
]


class World(Protocol):
    """What exists besides the flow."""

    def names(self, kind: WorldKind) -> Collection[str] | None:
        """The ids of all that exists of a kind. None: not known, not checked.

        For prompts, the paths of the files; for voices, the languages that the speech engine speaks; for features, what
        this installation has of `Node.NEEDS`; for origins and secrets, what the node `http` may ask and send.
        """

    def flow(self, flow: str, version: str | None) -> Mapping[str, Any] | None:
        """The document of another flow at a version, or at the active one. None: there is none, or it isn't known."""
