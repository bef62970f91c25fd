"""What the matcher refuses.

MatcherError
├── UnknownQueue     no rules were ever set for it
├── QueueClosed      it takes no new members
├── AlreadyInQueue   the member waits, or is being offered
├── UnknownMember    nobody of that id waits or is being offered
└── BadMember        rings or priority that nobody can be ordered by
"""

from __future__ import annotations


class MatcherError(Exception):
    """The matcher's state is as it was before."""


class UnknownQueue(MatcherError):
    """There is no such queue."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"queue {queue!r}: not known here; set_rules comes first")


class QueueClosed(MatcherError):
    """The queue takes no new members; those who wait are still served."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"queue {queue!r} is closed: it takes no new members")


class AlreadyInQueue(MatcherError):
    """He joined before."""

    def __init__(self, member: str, queue: str) -> None:
        super().__init__(f"member {member!r} is in queue {queue!r} already; leave or put_back comes first")


class UnknownMember(MatcherError):
    """Nobody of that id is in a queue."""

    def __init__(self, member: str) -> None:
        super().__init__(f"member {member!r} is in no queue")


class BadMember(MatcherError):
    """The member can't be put in order."""

    def __init__(self, member: str, what: str) -> None:
        super().__init__(f"member {member!r}: {what}")
