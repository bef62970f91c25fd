"""Calendars from JSON: what is read, and every fault with its place."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.calendars import parse_calendars
from dialplan.faults import CalendarError
from dialplan.hours import DatedHours, Interval

DOCUMENT = [
    {
        "id": "support",
        "time_zone": "Europe/Prague",
        "weekly": {"mon": ["13:00-17:00", "08:00-12:00"], "fri": ["22:00-06:00"], "sun": []},
        "holidays": {"country": "CZ", "subdivision": None},
        "dates": [
            {"date": "2026-12-24", "hours": ["08:00-12:00"], "name": "Christmas Eve"},
            {"date": "2026-12-27", "until": "2026-12-31", "hours": [], "holiday": True},
        ],
    },
    {"id": "always", "time_zone": "UTC", "weekly": {key: ["00:00-24:00"] for key in ("mon", "tue")}},
]


BROKEN: list[object] = [
    {
        "id": "",
        "time_zone": "Europe/Nowhere",
        "weekly": {"mon": ["08:00-12:00", "08:00-25:00", "8-12"], "montag": [], "tue": "08:00-12:00"},
        "holidays": {"country": "XX"},
        "colour": "red",
    },
    {
        "id": "b",
        "time_zone": "../etc/passwd",
        "weekly": {"wed": ["08:00-08:00", "24:00-08:00", "08:00-12:00", "11:59-13:00", 5]},
        "holidays": {"country": "DE", "subdivision": "QQ"},
        "dates": [
            {"date": "2026-02-30", "hours": []},
            {"date": "2026-03-01", "until": "2026-02-01", "hours": []},
            {"date": "2026-03-01", "hours": ["x"], "holiday": "yes", "name": 1},
            {"until": "2026-3-1"},
            "2026-03-01",
        ],
    },
    {"weekly": []},
    {"id": "b", "time_zone": "UTC"},
    {"id": "b", "time_zone": "UTC"},
    7,
]
FAULTS = [
    "calendars[0].colour: is not known here (one of id, time_zone, weekly, holidays, dates)",
    'calendars[0].id: "" is not a name',
    'calendars[0].time_zone: "Europe/Nowhere" is not a time zone (Europe/Prague)',
    "calendars[0].weekly.montag: is not known here (one of mon, tue, wed, thu, fri, sat, sun)",
    'calendars[0].weekly.mon[1]: "25:00" is not a time of day (HH:MM)',
    'calendars[0].weekly.mon[2]: "8" is not a time of day (HH:MM)',
    'calendars[0].weekly.mon[2]: "12" is not a time of day (HH:MM)',
    "calendars[0].weekly.tue: is not a list",
    'calendars[0].holidays.country: "XX" is not a country whose holidays are known (CZ)',
    'calendars[1].time_zone: "../etc/passwd" is not a time zone (Europe/Prague)',
    'calendars[1].weekly.wed[0]: "08:00-08:00" opens and closes at the same time; all day is 00:00-24:00',
    'calendars[1].weekly.wed[1]: "24:00" is not a time of day (HH:MM)',
    'calendars[1].weekly.wed[3]: "11:59-13:00" overlaps "08:00-12:00"',
    'calendars[1].weekly.wed[4]: "5" is not an interval (HH:MM-HH:MM)',
    'calendars[1].holidays.subdivision: "QQ" is not a part of DE whose holidays are known',
    'calendars[1].dates[0].date: "2026-02-30" is not a date (YYYY-MM-DD)',
    'calendars[1].dates[1].until: "2026-02-01" is not within 366 days from "2026-03-01" on',
    'calendars[1].dates[2].hours[0]: "x" is not an interval (HH:MM-HH:MM)',
    'calendars[1].dates[2].holiday: "yes" is not true or false',
    'calendars[1].dates[2].name: "1" is not a text',
    "calendars[1].dates[3].date: is missing",
    "calendars[1].dates[3].hours: is missing",
    'calendars[1].dates[3].until: "2026-3-1" is not a date (YYYY-MM-DD)',
    "calendars[1].dates[4]: is not an object",
    "calendars[2].id: is missing",
    "calendars[2].time_zone: is missing",
    "calendars[2].weekly: is not an object",
    'calendars[4].id: "b" is the id of calendars[3] too',
    "calendars[5]: is not an object",
]


@pytest.mark.req("R3")
def test_a_document_is_read() -> None:
    support, always = parse_calendars(DOCUMENT)

    assert support.weekly[0] == (Interval(480, 720), Interval(780, 1020))
    assert support.weekly[4] == (Interval(1320, 1800),)
    assert (support.country, support.subdivision) == ("CZ", None)
    assert support.dates == (
        DatedHours(date(2026, 12, 24), date(2026, 12, 24), (Interval(480, 720),), name="Christmas Eve"),
        DatedHours(date(2026, 12, 27), date(2026, 12, 31), (), holiday=True),
    )
    assert support.state_at(datetime(2026, 12, 24, 9, tzinfo=UTC)) == "open"
    assert support.state_at(datetime(2026, 12, 30, 9, tzinfo=UTC)) == "holiday"
    assert always.state_at(datetime(2026, 11, 17, 23, 59, 59, tzinfo=UTC)) == "open"


@pytest.mark.req("R3")
def test_every_fault_is_reported_at_once_with_its_place() -> None:
    with pytest.raises(CalendarError) as caught:
        parse_calendars(BROKEN)

    assert [str(fault) for fault in caught.value.faults] == FAULTS


def test_a_list_is_wanted() -> None:
    with pytest.raises(CalendarError, match="calendars: is not a list"):
        parse_calendars({"id": "x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
ALMOST = st.fixed_dictionaries(
    {"id": st.text(), "time_zone": st.sampled_from(["UTC", "Europe/Prague", "x", "/", "Europe", "\x00"]) | JSON},
    optional={
        "weekly": st.dictionaries(st.sampled_from(["mon", "sun", "x"]), st.lists(st.text("0123456789:-", max_size=12))),
        "holidays": st.fixed_dictionaries({"country": st.sampled_from(["CZ", "", "cz"]) | JSON}),
        "dates": st.lists(
            st.fixed_dictionaries({"date": st.from_regex("[0-9]{4}-[0-9]{2}-[0-9]{2}"), "hours": JSON}) | JSON,
            max_size=3,
        ),
    },
)


@settings(deadline=None)
@given(st.lists(ALMOST | JSON, max_size=3) | JSON)
def test_any_json_is_read_or_refused(raw: object) -> None:
    faults: object = None
    try:
        for calendar in parse_calendars(raw):
            assert calendar.state_at(datetime(2026, 11, 17, 12, tzinfo=UTC)) in ("open", "closed", "holiday")
    except CalendarError as error:
        faults = error.faults
    assert faults != ()
