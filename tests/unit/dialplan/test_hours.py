"""Opening hours to the second, over holidays and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.hours import SEARCH_DAYS, WHOLE_DAY, Calendar, DatedHours, Interval, public_holidays

PRAGUE = ZoneInfo("Europe/Prague")


def interval(text: str) -> Interval:
    (start_h, start_m), (end_h, end_m) = (map(int, part.split(":")) for part in text.split("-"))
    start, end = start_h * 60 + start_m, end_h * 60 + end_m
    return Interval(start, end if end > start else end + 1440)


def calendar(weekly: dict[int, list[str]], zone: ZoneInfo = PRAGUE, **others: object) -> Calendar:
    days = tuple(tuple(interval(text) for text in weekly.get(day, [])) for day in range(7))
    return Calendar("c", zone, days, **others)  # type: ignore[arg-type]


def at(text: str, zone: ZoneInfo = PRAGUE, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


OFFICE = calendar({day: ["08:00-12:00", "13:00-17:00"] for day in range(5)}, country="CZ")


@pytest.mark.req("R3")
@pytest.mark.parametrize(
    ("local", "state"),
    [
        ("2026-11-16T07:59:59.999999", "closed"),
        ("2026-11-16T08:00:00", "open"),
        ("2026-11-16T11:59:59", "open"),
        ("2026-11-16T12:00:00", "closed"),
        ("2026-11-16T13:00:00", "open"),
        ("2026-11-16T17:00:00", "closed"),
        ("2026-11-17T09:00:00", "holiday"),
        ("2026-11-17T00:00:00", "holiday"),
        ("2026-11-16T23:59:59", "closed"),
        ("2026-11-15T09:00:00", "closed"),
        # Summer and winter time: the same wall clock.
        ("2026-07-01T08:00:00", "open"),
        ("2026-07-01T07:59:59", "closed"),
    ],
)
def test_weekdays_times_and_holidays(local: str, state: str) -> None:
    assert OFFICE.state_at(at(local)) == state


@pytest.mark.req("R3")
def test_the_next_change_skips_the_weekend_and_the_holiday() -> None:
    # 17 November 2026 is a Tuesday and a public holiday.
    assert OFFICE.next_change(at("2026-11-13T16:59:59")) == at("2026-11-13T17:00:00")
    assert OFFICE.next_change(at("2026-11-13T17:00:00")) == at("2026-11-16T08:00:00")
    assert OFFICE.next_change(at("2026-11-16T17:00:00")) == at("2026-11-17T00:00:00")
    assert OFFICE.next_change(at("2026-11-17T05:00:00")) == at("2026-11-18T00:00:00")
    assert OFFICE.next_change(at("2026-11-18T00:00:00")) == at("2026-11-18T08:00:00")


@pytest.mark.req("R3")
def test_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = calendar({day: ["22:00-06:00"] for day in range(7)}, country="CZ")

    # Into the holiday the shift goes on, on the holiday none begins.
    assert night.state_at(at("2026-11-16T23:00:00")) == "open"
    assert night.state_at(at("2026-11-17T05:59:59")) == "open"
    assert night.state_at(at("2026-11-17T06:00:00")) == "holiday"
    assert night.state_at(at("2026-11-17T23:00:00")) == "holiday"
    assert night.state_at(at("2026-11-18T03:00:00")) == "closed"
    assert night.next_change(at("2026-11-17T01:00:00")) == at("2026-11-17T06:00:00")


@pytest.mark.req("R3")
def test_dates_of_their_own_replace_weekday_and_holiday() -> None:
    dated = calendar(
        {day: ["08:00-17:00"] for day in range(7)},
        country="CZ",
        dates=(
            DatedHours(date(2026, 12, 20), date(2026, 12, 31), (), holiday=True),
            DatedHours(date(2026, 12, 24), date(2026, 12, 24), (interval("09:00-11:00"),)),
            DatedHours(date(2026, 11, 17), date(2026, 11, 17), (interval("09:00-11:00"),)),
            DatedHours(date(2026, 11, 20), date(2026, 11, 20)),
        ),
    )

    assert dated.state_at(at("2026-12-21T10:00:00")) == "holiday"
    assert dated.state_at(at("2026-12-24T10:00:00")) == "open"
    assert dated.state_at(at("2026-12-24T12:00:00")) == "closed"
    assert dated.state_at(at("2026-11-17T10:00:00")) == "open"
    assert dated.state_at(at("2026-11-20T10:00:00")) == "closed"
    assert dated.next_change(at("2026-12-19T17:00:00")) == at("2026-12-20T00:00:00")
    assert dated.next_change(at("2026-12-24T11:00:00")) == at("2026-12-25T00:00:00")


@pytest.mark.req("R3")
def test_a_time_that_spring_skips_is_the_moment_of_the_jump() -> None:
    # 29 March 2026: 02:00 becomes 03:00.
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    sunday = calendar({6: ["02:30-10:00"]})
    saturday = calendar({5: ["22:00-02:30"]})

    assert sunday.next_change(at("2026-03-29T00:00:00")) == jump
    assert sunday.state_at(jump - timedelta(microseconds=1)) == "closed"
    assert sunday.state_at(jump) == "open"
    assert saturday.next_change(at("2026-03-28T23:00:00")) == jump
    assert calendar({6: ["02:10-02:50"]}).next_change(at("2026-03-28T00:00:00")) != jump


@pytest.mark.req("R3")
def test_a_time_that_autumn_repeats_opens_at_the_first_and_closes_at_the_second() -> None:
    # 25 October 2026: 03:00 becomes 02:00.
    first, second = at("2026-10-25T02:30:00"), at("2026-10-25T02:30:00", fold=1)
    assert second - first == timedelta(hours=1)
    opening = calendar({6: ["02:30-10:00"]})
    closing = calendar({5: ["22:00-02:30"]})

    assert opening.next_change(at("2026-10-25T00:00:00")) == first
    assert all(opening.state_at(first + timedelta(minutes=minutes)) == "open" for minutes in range(0, 120, 5))
    assert closing.next_change(at("2026-10-24T23:00:00")) == second
    assert closing.state_at(second) == "closed"


def test_midnight_that_happens_twice() -> None:
    # Havana, 1 November 2026: 01:00 becomes 00:00 of the same Sunday.
    havana = ZoneInfo("America/Havana")
    saturday = calendar({5: ["00:00-24:00"]}, havana)

    closing = saturday.next_change(at("2026-10-31T12:00:00", havana))

    assert closing == at("2026-11-01T00:00:00", havana, fold=1)
    assert saturday.state_at(closing) == "closed"


def test_always_open_and_never_open_do_not_change() -> None:
    assert calendar({day: ["00:00-24:00"] for day in range(7)}).next_change(at("2026-01-01T00:00:00")) is None
    halves = calendar({day: ["12:00-24:00", "00:00-12:00"] for day in range(7)})
    assert halves.next_change(at("2026-01-01T00:00:00")) is None
    assert calendar({}).next_change(at("2026-01-01T00:00:00")) is None
    assert calendar({}).state_at(at("2026-01-01T00:00:00")) == "closed"


def test_always_open_but_for_one_day_far_away() -> None:
    dated = DatedHours(date(2027, 1, 1), date(2027, 1, 1))
    always = calendar({day: ["00:00-24:00"] for day in range(7)}, dates=(dated,))

    assert always.next_change(at("2026-01-02T00:00:00")) == at("2027-01-01T00:00:00")
    assert always.next_change(at("2027-01-01T00:00:00")) == at("2027-01-02T00:00:00")
    assert always.next_change(at("2027-01-01T00:00:00") - timedelta(days=SEARCH_DAYS + 5)) is None


def test_a_time_without_zone_is_refused() -> None:
    for ask in (OFFICE.state_at, OFFICE.next_change):
        with pytest.raises(ValueError, match="without a time zone"):
            ask(datetime(2026, 1, 1))  # noqa: DTZ001 the very thing that is refused


def test_an_answer_does_not_depend_on_the_zone_of_the_question() -> None:
    instant = at("2026-10-25T02:30:00", fold=1)
    tokyo = ZoneInfo("Asia/Tokyo")

    assert OFFICE.next_change(instant) == OFFICE.next_change(instant.astimezone(tokyo))
    assert OFFICE.state_at(instant) == OFFICE.state_at(instant.astimezone(PRAGUE))


@pytest.mark.parametrize(("start", "end"), [(-1, 10), (10, 10), (10, 9), (1440, 1441), (0, 1441)])
def test_an_interval_lies_within_a_day(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(start, end)


def test_intervals_read_as_they_were_written() -> None:
    assert [str(interval(text)) for text in ("08:00-12:30", "22:00-06:00", "00:00-24:00")] == [
        "08:00-12:30",
        "22:00-06:00",
        "00:00-24:00",
    ]
    assert (interval("00:00-24:00"),) == WHOLE_DAY


def test_holidays_of_a_part_of_a_country() -> None:
    epiphany = date(2026, 1, 6)

    assert epiphany in public_holidays("DE", "BY", 2026)
    assert epiphany not in public_holidays("DE", None, 2026)


ZONES = ("Europe/Prague", "UTC", "America/Havana", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu")
INTERVALS = st.builds(lambda start, length: Interval(start, start + length), st.integers(0, 1439), st.integers(1, 1440))
HALVES = (Interval(0, 700), Interval(700, 1440))
DAYS = st.lists(INTERVALS, max_size=2).map(tuple) | st.sampled_from([WHOLE_DAY, HALVES])
CALENDARS = st.builds(
    Calendar,
    st.just("c"),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.tuples(*[DAYS] * 7),
    st.sampled_from(["CZ", None]),
    st.none(),
    st.lists(
        st.builds(
            lambda day, length, hours, holiday: DatedHours(day, day + timedelta(days=length), hours, holiday),
            st.dates(date(2026, 3, 20), date(2026, 11, 20)),
            st.integers(0, 3),
            DAYS,
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
)
# Around both changes of the clock in the zones above.
MOMENTS = st.builds(
    lambda start, past: start + timedelta(milliseconds=past),
    st.sampled_from([datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)]),
    st.integers(0, 45 * 86_400_000),
)


def wall_clock_says_open(subject: Calendar, moment: datetime) -> bool | None:
    """What the wall clock alone says; None while the clock repeats itself, where it cannot tell."""
    local = moment.astimezone(subject.zone)
    wall = local.replace(tzinfo=None)
    if wall.replace(tzinfo=subject.zone).utcoffset() != wall.replace(tzinfo=subject.zone, fold=1).utcoffset():
        return None
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        minutes = (wall - datetime.combine(day, time())) / timedelta(minutes=1)
        dated = [entry for entry in subject.dates if entry.first <= day <= entry.last]
        if dated:
            hours = dated[-1].intervals
        elif subject.country and day in public_holidays(subject.country, None, day.year):
            hours = ()
        else:
            hours = subject.weekly[day.weekday()]
        if any(entry.start_min <= minutes < entry.end_min for entry in hours):
            return True
    return False


@settings(deadline=None, max_examples=200)
@given(CALENDARS, MOMENTS)
def test_open_is_what_the_wall_clock_says(subject: Calendar, moment: datetime) -> None:
    expected = wall_clock_says_open(subject, moment)

    assert expected is None or (subject.state_at(moment) == "open") is expected


@settings(deadline=None, max_examples=2000)
@given(CALENDARS, MOMENTS, st.lists(st.floats(0, 1, exclude_max=True), min_size=5, max_size=5))
def test_nothing_changes_before_the_next_change(subject: Calendar, moment: datetime, shares: list[float]) -> None:
    state, change = subject.state_at(moment), subject.next_change(moment)
    end = change or moment + timedelta(days=30)

    for share in shares:
        between = min(moment + (end - moment) * share, end - timedelta(microseconds=1))
        assert subject.state_at(between) == state
    if change is not None:
        assert change > moment
        assert subject.state_at(change) != state
        assert subject.state_at(change - timedelta(microseconds=1)) == state
