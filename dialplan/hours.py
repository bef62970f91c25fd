"""Opening hours (R3): weekdays, public holidays, dates of their own, in the calendar's time zone.

A calendar knows no clock: it answers for the instant that it is given. Times of day are wall-clock times. What that
means when clocks are changed:

- a time that the night skips (02:30 in spring) is the instant at which the clock jumps over it;
- a time that the night repeats (02:30 in autumn) opens at its first and closes at its second occurrence.

An interval over midnight (`22:00-06:00`) belongs to the day on which it begins: it stays open after midnight even if a
holiday or a date of its own begins then, and it does not happen at all when its first day is a holiday.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import holidays

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

State = Literal["open", "closed", "holiday"]

SEARCH_DAYS = 400
"""How far `Calendar.next_change` looks ahead: every holiday that returns yearly lies within."""

_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Open from `start_min` until before `end_min`, minutes after midnight of the day on which it begins.

    `end_min` is larger than `start_min` and at most 24 hours later; above 1440 it lies on the next day.
    """

    start_min: int
    end_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_min < _DAY_MINUTES and 0 < self.end_min - self.start_min <= _DAY_MINUTES):
            raise ValueError(f"not an interval within one day: {self.start_min} to {self.end_min} minutes")

    def __str__(self) -> str:
        end = self.end_min if self.end_min <= _DAY_MINUTES else self.end_min - _DAY_MINUTES
        return f"{self.start_min // 60:02}:{self.start_min % 60:02}-{end // 60:02}:{end % 60:02}"


WHOLE_DAY = (Interval(0, _DAY_MINUTES),)


@dataclass(frozen=True, slots=True)
class DatedHours:
    """Hours of single dates, which replace both the weekday and a public holiday on them."""

    first: date
    last: date
    intervals: tuple[Interval, ...] = ()
    """Empty: closed all day."""
    holiday: bool = False
    """Whether the closed time of these dates counts as `holiday`."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours of a queue or a flow. Build it with `dialplan.calendars.parse_calendars`."""

    id: str
    zone: ZoneInfo
    weekly: tuple[tuple[Interval, ...], ...] = ((),) * 7
    """Intervals of Monday to Sunday."""
    country: str | None = None
    """Whose public holidays close the calendar (ISO 3166, `CZ`), None for none."""
    subdivision: str | None = None
    dates: tuple[DatedHours, ...] = ()
    """Dates of their own; of two that cover the same day, the later in the list counts."""
    _by_date: Mapping[date, DatedHours] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        by_date = {
            dated.first + timedelta(days=offset): dated
            for dated in self.dates
            for offset in range((dated.last - dated.first).days + 1)
        }
        object.__setattr__(self, "_by_date", by_date)

    def state_at(self, at: datetime) -> State:
        """`open`, `closed` or `holiday` (closed, on a public holiday) at the instant `at`.

        Raises `ValueError` for a time without a time zone.
        """
        local = self._local(at)
        at = at.astimezone(UTC)
        for day in (local.date() - timedelta(days=1), local.date()):
            for start, end in self._spans(day):
                if start <= at < end:
                    return "open"
        return "holiday" if self._plan(local.date())[1] else "closed"

    def next_change(self, at: datetime) -> datetime | None:
        """The first instant after `at`, in UTC, at which `state_at` gives another answer.

        None when nothing changes within `SEARCH_DAYS` days. Raises `ValueError` for a time without a time zone.
        """
        now = self.state_at(at)
        at = at.astimezone(UTC)
        today = self._local(at).date()
        for offset in range(-1, SEARCH_DAYS):
            day = today + timedelta(days=offset)
            if self._same_all_day(day, now):
                continue
            for instant in sorted(self._edges(day)):
                if instant > at and self.state_at(instant) != now:
                    return instant
        return None

    def _local(self, at: datetime) -> datetime:
        if at.tzinfo is None:
            raise ValueError("a time without a time zone says nothing about opening hours")
        return at.astimezone(self.zone)

    def _plan(self, day: date) -> tuple[tuple[Interval, ...], bool]:
        """The intervals that begin on `day`, and whether its closed time counts as holiday."""
        dated = self._by_date.get(day)
        if dated is not None:
            return dated.intervals, dated.holiday
        if self.country is not None and day in public_holidays(self.country, self.subdivision, day.year):
            return (), True
        return self.weekly[day.weekday()], False

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The intervals that begin on `day` as instants in UTC."""
        for interval in self._plan(day)[0]:
            start, end = (
                self._instant(day, interval.start_min, last=False),
                self._instant(day, interval.end_min, last=True),
            )
            if start < end:
                yield start, end

    def _edges(self, day: date) -> Iterator[datetime]:
        """Every instant at which the state may change because of `day`; some lie on the next day."""
        begin, end = self._instant(day, 0, last=False), self._instant(day, _DAY_MINUTES, last=True)
        yield begin
        # A midnight that happens twice, and a clock put back over midnight, change the date without an interval.
        yield self._instant(day, 0, last=True)
        if begin.astimezone(self.zone).utcoffset() != end.astimezone(self.zone).utcoffset():
            yield _jump_between(self.zone, begin, end)
        for span in self._spans(day):
            yield from span

    def _same_all_day(self, day: date, state: State) -> bool:
        """Whether no instant that `day` brings can differ from `state`: spares a year of exact arithmetic."""
        intervals, holiday = self._plan(day)
        if _fills_day(intervals):
            return state == "open"
        before = self._plan(day - timedelta(days=1))[0]
        spills = any(interval.end_min > _DAY_MINUTES for interval in before)
        return not intervals and not spills and state == ("holiday" if holiday else "closed")

    def _instant(self, day: date, minutes: int, *, last: bool) -> datetime:
        """The instant at which the wall clock shows `minutes` after midnight of `day`, see the module's rules."""
        days, minute = divmod(minutes, _DAY_MINUTES)
        wall = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60))
        first = wall.replace(tzinfo=self.zone).astimezone(UTC)
        second = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if first > second:
            return _jump_between(self.zone, second, first)
        return second if last else first


def _fills_day(intervals: tuple[Interval, ...]) -> bool:
    """Whether the intervals together are one whole day and nothing of the next."""
    end = 0
    for interval in sorted(intervals):
        if interval.start_min > end:
            return False
        end = max(end, interval.end_min)
    return end == _DAY_MINUTES


def _jump_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The instant between the two at which the zone's clock is put forward or back, to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while low < high:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            low = middle + 1
        else:
            high = middle
    return before + timedelta(seconds=low)


@lru_cache(maxsize=512)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of a country (ISO 3166, `CZ`) or of one of its parts in one year.

    Raises `NotImplementedError` for a country or a part that the `holidays` library does not know.
    """
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
