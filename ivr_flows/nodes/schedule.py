"""The node `schedule`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import CalendarId
from ivr_flows.node import Node, NodeRun, ask, node


@node(
    "schedule",
    exits={
        "open": "within the hours",
        "closed": "outside of them",
        "holiday": "on a holiday or another day that the calendar excepts",
    },
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Node):
    """Go on by what a calendar says of this moment, in the calendar's own time zone."""

    calendar: Annotated[CalendarId, Field(description="the calendar's id")]

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.CheckCalendar(self.calendar))
        return got.state
