"""Calendars from JSON, every fault reported at once with its place.

    [{"id": "support", "time_zone": "Europe/Prague",
      "weekly": {"mon": ["08:00-12:00", "13:00-17:00"], "fri": ["22:00-06:00"], "sun": []},
      "holidays": {"country": "CZ", "subdivision": null},
      "dates": [{"date": "2026-12-24", "hours": ["08:00-12:00"], "name": "Christmas Eve"},
                {"date": "2026-12-27", "until": "2026-12-31", "hours": [], "holiday": true}]}]

A weekday that is not named is closed. `00:00-24:00` is open all day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialplan.faults import CalendarError, Collector
from dialplan.hours import WEEKDAYS, Calendar, DatedHours, Interval, public_holidays

LONGEST_PERIOD_DAYS = 366
"""Longest `date` to `until`."""

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_MINUTES = 24 * 60


def parse_calendars(raw: object) -> tuple[Calendar, ...]:
    """Calendars from a list of objects as JSON gives them; the module's docstring shows the form.

    Raises `CalendarError` with every fault and its place, for instance
    `calendars[0].weekly.mon[1]: "25:00" is not a time of day (HH:MM)`.
    """
    faults = Collector()
    calendars: list[Calendar] = []
    seen: dict[str, str] = {}
    for index, item in enumerate(_items(raw, "calendars", faults)):
        place = f"calendars[{index}]"
        calendar = _calendar(item, place, faults)
        if calendar is None:
            continue
        if calendar.id in seen:
            faults.add(f"{place}.id", f'"{calendar.id}" is the id of {seen[calendar.id]} too')
        seen[calendar.id] = place
        calendars.append(calendar)
    faults.raise_as(CalendarError)
    return tuple(calendars)


def _calendar(item: object, place: str, faults: Collector) -> Calendar | None:
    known = ("id", "time_zone", "weekly", "holidays", "dates")
    values = _object(item, place, known, faults, required=("id", "time_zone"))
    if values is None:
        return None
    identity = _text(values["id"], f"{place}.id", faults) if "id" in values else ""
    zone = _zone(values["time_zone"], f"{place}.time_zone", faults) if "time_zone" in values else None
    weekly = _weekly(values.get("weekly", {}), f"{place}.weekly", faults)
    country, subdivision = _holidays(values.get("holidays"), f"{place}.holidays", faults)
    dates = tuple(
        dated
        for index, entry in enumerate(_items(values.get("dates", []), f"{place}.dates", faults))
        if (dated := _dated(entry, f"{place}.dates[{index}]", faults)) is not None
    )
    if zone is None:
        return None
    return Calendar(identity, zone, weekly, country, subdivision, dates)


def _zone(raw: object, place: str, faults: Collector) -> ZoneInfo | None:
    try:
        if isinstance(raw, str) and raw:
            return ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    faults.add(place, f"{_shown(raw)} is not a time zone (Europe/Prague)")
    return None


def _weekly(raw: object, place: str, faults: Collector) -> tuple[tuple[Interval, ...], ...]:
    values = _object(raw, place, WEEKDAYS, faults) or {}
    return tuple(_intervals(values.get(day, []), f"{place}.{day}", faults) for day in WEEKDAYS)


def _holidays(raw: object, place: str, faults: Collector) -> tuple[str | None, str | None]:
    if raw is None:
        return None, None
    values = _object(raw, place, ("country", "subdivision"), faults, required=("country",))
    if not values or "country" not in values:
        return None, None
    country, subdivision = values["country"], values.get("subdivision")
    if not isinstance(country, str) or not _has_holidays(country, None):
        faults.add(f"{place}.country", f"{_shown(country)} is not a country whose holidays are known (CZ)")
        return None, None
    if subdivision is None:
        return country, None
    if not isinstance(subdivision, str) or not _has_holidays(country, subdivision):
        faults.add(f"{place}.subdivision", f"{_shown(subdivision)} is not a part of {country} whose holidays are known")
        return country, None
    return country, subdivision


def _has_holidays(country: str, subdivision: str | None) -> bool:
    try:
        public_holidays(country, subdivision, 2026)
    except NotImplementedError:
        return False
    return bool(country)


def _dated(raw: object, place: str, faults: Collector) -> DatedHours | None:
    known = ("date", "until", "hours", "holiday", "name")
    values = _object(raw, place, known, faults, required=("date", "hours"))
    if values is None:
        return None
    first = _date(values["date"], f"{place}.date", faults) if "date" in values else None
    last = _date(values["until"], f"{place}.until", faults) if "until" in values else first
    intervals = _intervals(values.get("hours", []), f"{place}.hours", faults)
    holiday, name = values.get("holiday", False), values.get("name", "")
    if not isinstance(holiday, bool):
        faults.add(f"{place}.holiday", f"{_shown(holiday)} is not true or false")
    if not isinstance(name, str):
        faults.add(f"{place}.name", f"{_shown(name)} is not a text")
    if first is None or last is None:
        return None
    if not timedelta(0) <= last - first < timedelta(days=LONGEST_PERIOD_DAYS):
        faults.add(f"{place}.until", f'"{last}" is not within {LONGEST_PERIOD_DAYS} days from "{first}" on')
        return None
    return DatedHours(first, last, intervals, holiday is True, str(name))


def _date(raw: object, place: str, faults: Collector) -> date | None:
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            return date.fromisoformat(raw)
        except ValueError:
            pass
    faults.add(place, f"{_shown(raw)} is not a date (YYYY-MM-DD)")
    return None


def _intervals(raw: object, place: str, faults: Collector) -> tuple[Interval, ...]:
    found: list[Interval] = []
    for index, item in enumerate(_items(raw, place, faults)):
        interval = _interval(item, f"{place}[{index}]", faults)
        if interval is None:
            continue
        other = next((o for o in found if o.start_min < interval.end_min and interval.start_min < o.end_min), None)
        if other is not None:
            faults.add(f"{place}[{index}]", f'"{interval}" overlaps "{other}"')
        found.append(interval)
    return tuple(sorted(found))


def _interval(raw: object, place: str, faults: Collector) -> Interval | None:
    parts = raw.split("-") if isinstance(raw, str) else []
    if len(parts) != 2:
        faults.add(place, f"{_shown(raw)} is not an interval (HH:MM-HH:MM)")
        return None
    start, end = (_minutes(part.strip()) for part in parts)
    if end is None and parts[1].strip() == "24:00":
        end = _DAY_MINUTES
    for part, minutes in zip(parts, (start, end), strict=True):
        if minutes is None:
            faults.add(place, f'"{part.strip()}" is not a time of day (HH:MM)')
    if start is None or end is None:
        return None
    if start == end:
        faults.add(place, f'"{raw}" opens and closes at the same time; all day is 00:00-24:00')
        return None
    return Interval(start, end if end > start else end + _DAY_MINUTES)


def _minutes(text: str) -> int | None:
    return int(text[:2]) * 60 + int(text[3:]) if _TIME.fullmatch(text) else None


def _object(
    raw: object, place: str, known: Iterable[str], faults: Collector, required: Iterable[str] = ()
) -> Mapping[str, object] | None:
    if not isinstance(raw, Mapping):
        faults.add(place, "is not an object")
        return None
    known = tuple(known)
    for key in raw:
        if key not in known:
            faults.add(f"{place}.{key}", f"is not known here (one of {', '.join(known)})")
    for key in required:
        if key not in raw:
            faults.add(f"{place}.{key}", "is missing")
    return raw


def _items(raw: object, place: str, faults: Collector) -> list[object]:
    if isinstance(raw, list):
        return raw
    faults.add(place, "is not a list")
    return []


def _text(raw: object, place: str, faults: Collector) -> str:
    if isinstance(raw, str) and raw:
        return raw
    faults.add(place, f"{_shown(raw)} is not a name")
    return ""


def _shown(raw: object) -> str:
    text = raw if isinstance(raw, str) else repr(raw)
    return f'"{text[:60]}"'
