"""Which flow answers which number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.faults import Fault, NumberingError, RouteError
from dialplan.numbers import EMERGENCY_NUMBERS
from dialplan.routes import RecordingPolicy, Route, RouteTable, parse_routes

EXACT = Route("+420221234101", "support", aliases=("2101",), language="cs")
BLOCK = Route("+4202212341*", "block")
CITY = Route("00 42022*", "city")
INTERNAL = Route("21*", "colleagues")
DEFAULT = Route("*", "unknown-number", flow_version=3)


@pytest.fixture
def table() -> RouteTable:
    return RouteTable([DEFAULT, CITY, BLOCK, INTERNAL, EXACT], "CZ")


@pytest.mark.req("R11")
@pytest.mark.parametrize("did", ["221234101", "+420221234101", "00420221234101", "2101", "sip:2101@pbx.example"])
def test_extension_national_and_international_forms_reach_the_same_target(table: RouteTable, did: str) -> None:
    assert table.find(did) is EXACT


def test_exact_before_longest_prefix_before_default(table: RouteTable) -> None:
    assert table.find("221234102") is BLOCK
    assert table.find("+420229999999") is CITY
    assert table.find("2150") is INTERNAL
    assert table.find("3150") is DEFAULT
    assert table.find("+421232111222") is DEFAULT


@pytest.mark.req("R11")
@pytest.mark.parametrize("did", ["anonymous", "", "nonsense", "*45"])
def test_what_is_no_number_gets_the_default(table: RouteTable, did: str) -> None:
    assert table.find(did) is DEFAULT


@pytest.mark.req("R13")
@pytest.mark.parametrize("number", sorted(EMERGENCY_NUMBERS))
def test_no_route_can_take_an_emergency_call(table: RouteTable, number: str) -> None:
    assert table.find(number) is None
    assert RouteTable([Route("1*", "trap"), DEFAULT], "CZ").find(f"+{number}") is None


def test_without_a_default_an_unknown_number_has_no_route() -> None:
    table = RouteTable([BLOCK], "CZ")

    assert table.find("601234567") is None
    assert table.find(table.number("221234150")) is BLOCK


def test_an_extension_never_matches_the_prefix_of_public_numbers() -> None:
    assert RouteTable([Route("+42*", "public")], "CZ").find("420") is None


def test_every_contradiction_is_reported_with_both_places() -> None:
    routes = [
        EXACT,
        Route("221 234 101", "other"),
        Route("2101", "third"),
        Route("+42022*", "city", language="CS", max_calls=0),
        Route("0042022*", "", flow_version=0, overflow_to="nobody"),
        Route("112", "trap"),
        Route("abc", "x"),
        Route("22123*", "x", aliases=("+*", "2a*")),
        Route("222123*", "x"),
    ]

    with pytest.raises(RouteError) as caught:
        RouteTable(routes, "CZ")

    assert caught.value.code == "routes"
    assert [str(fault) for fault in caught.value.faults] == [
        'routes[1].pattern: "221 234 101" is claimed by routes[0].pattern too',
        'routes[2].pattern: "2101" is claimed by routes[0].aliases[0] too',
        'routes[3].language: "CS" is not a language (ISO 639, cs)',
        "routes[3].max_calls: 0 is not a limit (1 and more, null for none)",
        "routes[4].flow_id: is empty",
        "routes[4].flow_version: 0 is not a version (1 and more, null for the active)",
        'routes[4].overflow_to: "nobody" is not a number that can be called',
        'routes[4].pattern: "0042022*" is claimed by routes[3].pattern too',
        'routes[5].pattern: "112" is an emergency number, which no route may claim',
        'routes[6].pattern: "abc" is not a number, an extension or a prefix that ends in *',
        'routes[7].aliases[0]: "+*" is not a prefix: 1 to 15 digits after the +',
        'routes[7].aliases[1]: "2a*" is not a prefix: digits with an optional + or 00 before them',
        'routes[8].pattern: "222123*" is longer than an extension\'s prefix (5 digits at most);'
        " write the prefix of a public number with +",
    ]


def test_the_country_must_exist() -> None:
    with pytest.raises(NumberingError):
        RouteTable([], "??")


def test_routes_from_json() -> None:
    table = parse_routes(
        [
            {"pattern": "221234101", "flow_id": "support", "aliases": ["2101"], "recording_policy": "always"},
            {"pattern": "*", "flow_id": "unknown", "flow_version": 2, "max_calls": 10, "overflow_to": "601234567"},
        ],
        "CZ",
    )

    found = table.find("2101")
    assert found == Route("221234101", "support", aliases=("2101",), recording_policy=RecordingPolicy.ALWAYS)
    assert table.find("999") == Route("*", "unknown", flow_version=2, max_calls=10, overflow_to="601234567")


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        ({}, ["routes: is not a list"]),
        (
            [1, {"flow": "x"}],
            [
                "routes[0]: is not an object",
                "routes[1].flow: is not known here",
                "routes[1].pattern: is missing",
                "routes[1].flow_id: is missing",
            ],
        ),
        (
            [{"pattern": 1, "flow_id": "x", "flow_version": True, "aliases": ["1", 2], "recording_policy": "maybe"}],
            [
                "routes[0].pattern: is not a text",
                "routes[0].flow_version: is not a whole number or null",
                "routes[0].aliases: is not a list of texts",
                'routes[0].recording_policy: "maybe" is not one of inherit, always, never',
            ],
        ),
    ],
)
def test_json_that_is_no_routes_is_refused_with_every_fault(raw: object, faults: list[str]) -> None:
    with pytest.raises(RouteError) as caught:
        parse_routes(raw, "CZ")

    assert [str(fault) for fault in caught.value.faults] == faults


def test_faults_sort_and_read_as_sentences() -> None:
    assert sorted([Fault("b", "x"), Fault("a", "y")])[0] == Fault("a", "y")
    assert str(RouteError([Fault("a", "is b"), Fault("c", "is d")])) == "a: is b\nc: is d"


@settings(deadline=None)
@given(st.sets(st.from_regex(r"\+42060[0-9]{1,6}\*", fullmatch=True), max_size=8), st.integers(0, 9999999))
def test_the_longest_prefix_wins_always(patterns: set[str], tail: int) -> None:
    table = RouteTable([Route(pattern, pattern) for pattern in sorted(patterns)], "CZ")
    number = f"+42060{tail:07}"

    found = table.find(number)

    matching = [pattern for pattern in patterns if number.startswith(pattern[:-1])]
    assert (found.flow_id if found else None) == max(matching, key=len, default=None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_read_or_refused(raw: object) -> None:
    faults: object = None
    try:
        parse_routes(raw, "CZ")
    except RouteError as error:
        faults = error.faults
    assert faults != ()
