"""Which flow answers which number.

A route claims a number, an internal extension or a prefix; it may have aliases, so that an extension, the national
number and its `+` and `00` forms reach the same target (R11). `RouteTable.find` looks for the exact number first, then
for the longest prefix, then for the default (`*`). An emergency number is never routed: no route can stand in its way
(R13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from dialplan.faults import Collector, RouteError
from dialplan.numbers import DEFAULT_EXTENSION_DIGITS, Number, NumberKind, normalise

_ROUTABLE = (NumberKind.E164, NumberKind.EXTENSION, NumberKind.SHORT)


class RecordingPolicy(StrEnum):
    """Whether the calls of a number are recorded (R80)."""

    INHERIT = "inherit"
    """As queue and campaign say."""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Route:
    """One number and what answers it.

    `pattern` is an E.164 number in any of its forms, an internal extension, a prefix (`+42022123*`, `2*`), or `*` for
    every number that nothing else claims.
    """

    pattern: str
    flow_id: str
    flow_version: int | None = None
    """None: the version that is active when the call comes."""
    language: str = "cs"
    recording_policy: RecordingPolicy = RecordingPolicy.INHERIT
    aliases: tuple[str, ...] = ()
    """Further patterns of the same target (R11): the extension of a public number, for instance."""
    max_calls: int | None = None
    """Most calls at once on this number, None for no limit of its own (R12)."""
    overflow_to: str | None = None
    """The number that takes the calls when this one is out of order or full (R12)."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The pattern and its aliases."""
        return (self.pattern, *self.aliases)


class RouteTable:
    """The routes of one snapshot, read-only."""

    def __init__(
        self,
        routes: Iterable[Route],
        country: str,
        *,
        extension_digits: tuple[int, int] = DEFAULT_EXTENSION_DIGITS,
    ) -> None:
        """Builds the table for numbers as they are meant in `country` (`CZ`).

        Raises `RouteError` with every duplicate and unreadable pattern at once, `NumberingError` for the country.
        """
        self.routes = tuple(routes)
        self._country = country
        self._extension_digits = extension_digits
        self._exact: dict[str, Route] = {}
        self._prefixes: dict[str, Route] = {}
        normalise("", country, extension_digits=extension_digits)
        faults = Collector()
        claimed: dict[str, str] = {}
        for index, route in enumerate(self.routes):
            _check_route(route, f"routes[{index}]", faults)
            if route.overflow_to is not None and not self.number(route.overflow_to).dialable:
                faults.add(f"routes[{index}].overflow_to", f'"{route.overflow_to}" is not a number that can be called')
            for place, pattern in _places(route, f"routes[{index}]"):
                key = self._key(pattern, place, faults)
                if key is None:
                    continue
                if key in claimed:
                    faults.add(place, f'"{pattern}" is claimed by {claimed[key]} too')
                    continue
                claimed[key] = place
                if key.endswith("*"):
                    self._prefixes[key[:-1]] = route
                else:
                    self._exact[key] = route
        faults.raise_as(RouteError)
        self._longest = max((len(prefix) for prefix in self._prefixes), default=0)

    def find(self, did: str | Number) -> Route | None:
        """The route of the dialled number, in any form; None where nothing claims it.

        None for an emergency number too, whatever the routes say (R13): it goes straight out.
        """
        number = did if isinstance(did, Number) else self.number(did)
        if number.emergency:
            return None
        if number.kind in _ROUTABLE:
            if number.value in self._exact:
                return self._exact[number.value]
            for length in range(min(len(number.value), self._longest), 0, -1):
                if number.value[:length] in self._prefixes:
                    return self._prefixes[number.value[:length]]
        return self._prefixes.get("")

    def number(self, raw: str) -> Number:
        """`raw` in the numbering plan of this table."""
        return normalise(raw, self._country, extension_digits=self._extension_digits)

    def _key(self, pattern: str, place: str, faults: Collector) -> str | None:
        """The pattern in its one form; None after noting why it has none."""
        if pattern.endswith("*"):
            return self._prefix_key(pattern, place, faults)
        number = self.number(pattern)
        if number.emergency:
            faults.add(place, f'"{pattern}" is an emergency number, which no route may claim')
        elif number.kind in _ROUTABLE:
            return number.value
        else:
            faults.add(place, f'"{pattern}" is not a number, an extension or a prefix that ends in *')
        return None

    def _prefix_key(self, pattern: str, place: str, faults: Collector) -> str | None:
        prefix = "".join(pattern[:-1].split())
        if prefix.startswith("00"):
            prefix = "+" + prefix[2:]
        digits = prefix.removeprefix("+")
        if digits and not (digits.isascii() and digits.isdigit()):
            faults.add(place, f'"{pattern}" is not a prefix: digits with an optional + or 00 before them')
        elif prefix == "+" or len(digits) > 15:
            faults.add(place, f'"{pattern}" is not a prefix: 1 to 15 digits after the +')
        elif not prefix.startswith("+") and len(digits) >= self._extension_digits[1]:
            # A national prefix would never match: what it stands for is looked up as +country code and number.
            faults.add(
                place,
                f'"{pattern}" is longer than an extension\'s prefix ({self._extension_digits[1] - 1} digits at most);'
                " write the prefix of a public number with +",
            )
        else:
            return prefix + "*"
        return None


def taken_by(patterns: Sequence[str], country: str) -> Callable[[str], bool]:
    """Whether a number, in any of its forms, is one of those that the patterns take. They may overlap.

    Raises `RouteError` with every pattern that can't be read.
    """
    tables: list[RouteTable] = []
    faults = Collector()
    for pattern in patterns:
        try:
            tables.append(RouteTable([Route(pattern, "-")], country))
        except RouteError as error:
            faults.faults += error.faults
    faults.raise_as(RouteError)

    def is_taken(raw: str) -> bool:
        number = tables[0].number(raw) if tables else None
        return number is not None and any(table.find(number) for table in tables)

    return is_taken


def parse_routes(
    raw: object, country: str, *, extension_digits: tuple[int, int] = DEFAULT_EXTENSION_DIGITS
) -> RouteTable:
    """A table from JSON: a list of objects with the fields of `Route`.

    Raises `RouteError` with every fault and its place (`routes[3].language: …`).
    """
    faults = Collector()
    routes: list[Route] = []
    if not isinstance(raw, list):
        faults.add("routes", "is not a list")
        raw = []
    for index, item in enumerate(raw):
        route = _read(item, f"routes[{index}]", faults)
        if route is not None:
            routes.append(route)
    faults.raise_as(RouteError)
    return RouteTable(routes, country, extension_digits=extension_digits)


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "pattern": ((str,), "a text"),
    "flow_id": ((str,), "a text"),
    "flow_version": ((int, type(None)), "a whole number or null"),
    "language": ((str,), "a text"),
    "recording_policy": ((str,), "a text"),
    "aliases": ((list,), "a list of texts"),
    "max_calls": ((int, type(None)), "a whole number or null"),
    "overflow_to": ((str, type(None)), "a text or null"),
}


def _read(item: object, place: str, faults: Collector) -> Route | None:
    if not isinstance(item, Mapping):
        faults.add(place, "is not an object")
        return None
    before = len(faults.faults)
    for key in item:
        if key not in _TYPES:
            faults.add(f"{place}.{key}", "is not known here")
    for field in fields(Route):
        if field.name not in item:
            if field.name in ("pattern", "flow_id"):
                faults.add(f"{place}.{field.name}", "is missing")
            continue
        allowed, words = _TYPES[field.name]
        if not _fits(item[field.name], allowed):
            faults.add(f"{place}.{field.name}", f"is not {words}")
    policy = item.get("recording_policy", RecordingPolicy.INHERIT.value)
    if isinstance(policy, str) and policy not in list(RecordingPolicy):
        faults.add(f"{place}.recording_policy", f'"{policy}" is not one of {", ".join(RecordingPolicy)}')
    if len(faults.faults) > before:
        return None
    values = {**item, "aliases": tuple(item.get("aliases", ())), "recording_policy": RecordingPolicy(policy)}
    return Route(**values)


def _fits(value: object, allowed: tuple[type, ...]) -> bool:
    if isinstance(value, bool) or not isinstance(value, allowed):
        return False
    return not isinstance(value, list) or all(isinstance(entry, str) for entry in value)


def _places(route: Route, place: str) -> Iterable[tuple[str, str]]:
    yield f"{place}.pattern", route.pattern
    for index, alias in enumerate(route.aliases):
        yield f"{place}.aliases[{index}]", alias


def _check_route(route: Route, place: str, faults: Collector) -> None:
    if not route.flow_id:
        faults.add(f"{place}.flow_id", "is empty")
    if route.flow_version is not None and route.flow_version < 1:
        faults.add(f"{place}.flow_version", f"{route.flow_version} is not a version (1 and more, null for the active)")
    if not (route.language.isascii() and route.language.islower() and len(route.language) == 2):
        faults.add(f"{place}.language", f'"{route.language}" is not a language (ISO 639, cs)')
    if route.max_calls is not None and route.max_calls < 1:
        faults.add(f"{place}.max_calls", f"{route.max_calls} is not a limit (1 and more, null for none)")
