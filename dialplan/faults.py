"""Faults of a configuration: every one of them at once, each with its place.

    DialplanError                 something given to this package cannot be used
    ├── NumberingError            a country or a range of extensions that does not exist
    ├── RouteError                routes that contradict each other or cannot be read
    ├── CalendarError             calendars that cannot be read
    ├── XmlError                  a value that must not stand in the switch's configuration
    └── SettingsError             render settings that would make an unsafe or broken switch

`code` is the stable name of the fault's class for logs and answers of the API.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: `place` is a path in the input (`calendars[0].weekly.mon[1]`), `message` ends the sentence."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class DialplanError(ValueError):
    """Base of this package's errors; `faults` holds all that were found, in the order of the input."""

    code: ClassVar[str] = "dialplan"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NumberingError(DialplanError):
    """The numbering plan itself is wrong: never raised for what a caller sent."""

    code = "numbering"


class RouteError(DialplanError):
    """Two routes claim the same number, or a route cannot be read."""

    code = "routes"


class CalendarError(DialplanError):
    """A calendar cannot be read."""

    code = "calendars"


class XmlError(DialplanError):
    """A value holds what FreeSWITCH would read as more than text."""

    code = "xml"


class SettingsError(DialplanError):
    """The settings would render an unsafe or broken switch."""

    code = "render_settings"


class Collector:
    """Gathers faults while something is read, so that the reader can go on to the next one."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, place: str, message: str) -> None:
        """Notes one fault."""
        self.faults.append(Fault(place, message))

    def raise_as(self, error: type[DialplanError]) -> None:
        """Raises `error` with everything noted; does nothing when nothing was."""
        if self.faults:
            raise error(self.faults)
