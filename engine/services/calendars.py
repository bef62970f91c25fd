"""Calendars: opening hours with holidays, in the form of `dialplan.calendars` (R3)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from dialplan.calendars import parse_calendars
from dialplan.faults import CalendarError, Fault
from engine.services.changes import Actor
from engine.services.errors import CalendarInUse, CalendarNotFound, CalendarRefused
from engine.services.flows import active_users
from engine.services.queues import queues_naming
from engine.services.routing_data import RoutingData, id_faults, within
from engine.store.catalogue import CALENDARS, CalendarEntry
from engine.store.flows import FlowStore


class Calendars(RoutingData[CalendarEntry]):
    """The use cases around calendars."""

    name = "calendar"
    catalogue = CALENDARS
    not_found = CalendarNotFound

    def put(self, calendar: CalendarEntry, by: Actor) -> bool:
        """Writes a calendar. Whether it is new. Raises CalendarRefused with every fault."""
        with self._changes.of_routing(by, "calendar.put", f"calendar:{calendar.id}") as change:
            faults = _faults(calendar)
            if faults:
                raise CalendarRefused(faults)
            return CALENDARS.put(change.session, calendar)

    def check_unused(self, session: Session, key: str) -> None:
        """Raises CalendarInUse."""
        users = active_users(FlowStore(self._database), "calendar", key) + queues_naming(session, "calendar", key)
        if users:
            raise CalendarInUse(key, users)


def _faults(calendar: CalendarEntry) -> list[Fault]:
    faults = id_faults(calendar.id)
    try:
        parse_calendars([{**calendar.definition, "id": calendar.id}])
    except CalendarError as error:
        faults += within("calendars[0]", error.faults)
    return faults
