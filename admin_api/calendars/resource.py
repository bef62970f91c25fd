"""Calendars over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.calendars.schema import CalendarSchema, CalendarsSchema
from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.smorest import Blueprint
from engine.store.catalogue import CalendarEntry

blueprint = Blueprint("calendars", __name__, url_prefix="/calendars", description="Opening hours and holidays")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, CalendarsSchema)
    def get(self) -> dict[str, Any]:
        """All calendars."""
        return {"calendars": [_document(each) for each in services().calendars.list()]}


@blueprint.route("/<string:calendar>")
class Member(MethodView):
    @blueprint.response(200, CalendarSchema)
    def get(self, calendar: str) -> dict[str, Any]:
        """One calendar."""
        return _document(services().calendars.get(calendar))

    @blueprint.arguments(CalendarSchema)
    @blueprint.response(200, CalendarSchema)
    @blueprint.alt_response(201, schema=CalendarSchema, success=True)
    def put(self, body: dict[str, Any], calendar: str) -> tuple[dict[str, Any], int]:
        """Make or change a calendar."""
        check_same(body, "id", calendar)
        entry = CalendarEntry(calendar, body)
        created = services().calendars.put(entry, actor())
        return _document(entry), 201 if created else 200

    @blueprint.response(204)
    def delete(self, calendar: str) -> None:
        """Remove a calendar that no queue and no active flow names."""
        services().calendars.delete(calendar, actor())


def _document(entry: CalendarEntry) -> dict[str, Any]:
    return {"id": entry.id, **entry.definition}
