"""Calendars on the wire. What is in them is checked by `dialplan.calendars`, which knows more than a schema."""

from __future__ import annotations

import marshmallow as ma

from admin_api.fields import StrictSchema


class HolidaysSchema(StrictSchema):
    """A country's public holidays."""

    country = ma.fields.String(required=True, metadata={"example": "CZ"})
    subdivision = ma.fields.String(allow_none=True)


class DateSchema(StrictSchema):
    """Hours of one date, or of a period."""

    date = ma.fields.String(required=True, metadata={"example": "2026-12-24"})
    until = ma.fields.String()
    hours = ma.fields.List(ma.fields.String(), required=True, metadata={"example": ["08:00-12:00"]})
    holiday = ma.fields.Boolean()
    name = ma.fields.String()


class CalendarSchema(StrictSchema):
    """Opening hours: by weekday, with public holidays and dates of their own."""

    id = ma.fields.String()
    time_zone = ma.fields.String(required=True, metadata={"example": "Europe/Prague"})
    weekly = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"example": {"mon": ["08:00-12:00", "13:00-17:00"], "fri": ["22:00-06:00"]}},
    )
    holidays = ma.fields.Nested(HolidaysSchema, allow_none=True)
    dates = ma.fields.List(ma.fields.Nested(DateSchema))


class CalendarsSchema(ma.Schema):
    """All calendars."""

    calendars = ma.fields.List(ma.fields.Nested(CalendarSchema), required=True)
