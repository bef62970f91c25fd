"""Opening hours at call time: calendars of the routing snapshot, parsed once a version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from dialplan.calendars import parse_calendars
from dialplan.hours import Calendar
from engine.domain.routing import RoutingSnapshot


class Calendars:
    """Answers whether a calendar is open."""

    def __init__(self) -> None:
        self._version = -1
        self._parsed: dict[str, Calendar] = {}

    def state(
        self, snapshot: RoutingSnapshot, calendar: str, now_ms: int
    ) -> Literal["open", "closed", "holiday"] | None:
        """The calendar's state at `now_ms` (UTC epoch ms), None when there is no such calendar."""
        if snapshot.version != self._version:
            self._version, self._parsed = snapshot.version, {}
        if calendar not in self._parsed:
            document = snapshot.calendars.get(calendar)
            if document is None:
                return None
            (self._parsed[calendar],) = parse_calendars([{**document, "id": calendar}])
        return self._parsed[calendar].state_at(datetime.fromtimestamp(now_ms / 1000, UTC))
