"""The states of a channel with FreeSWITCH's names and numbers."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """`CS_NEW` to `CS_NONE`."""

    NEW = 0
    INIT = 1
    ROUTING = 2
    SOFT_EXECUTE = 3
    EXECUTE = 4
    EXCHANGE_MEDIA = 5
    PARK = 6
    CONSUME_MEDIA = 7
    HIBERNATE = 8
    RESET = 9
    HANGUP = 10
    REPORTING = 11
    DESTROY = 12
    NONE = 13

    @property
    def label(self) -> str:
        """`CS_EXECUTE`, as events spell it."""
        return f"CS_{self.name}"
