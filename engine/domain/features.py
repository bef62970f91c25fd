"""What the engine has of what nodes of flows may need, beyond what every installation has."""

from __future__ import annotations

FEATURES: frozenset[str] = frozenset({"contacts", "notices", "queues"})
"""Of `queues`, `callbacks`, `contacts`, `notices`, `voicemail`, `sms`, `webhooks`, `amd`, `conferences`. An upload of a
flow that needs another one is refused."""
