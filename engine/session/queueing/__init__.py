"""A call in a queue: the member's side of it (docs/decisions/0014-queues-at-run-time.md)."""
