"""Which switch the tests run on, and what a test needs that a machine may not have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callwright.local import freeswitch
from callwright.local.stack import SwitchKind
from dialplan.render import render
from dialplan.settings import RenderSettings
from freeswitch_conf import template_dir

NEED_FREESWITCH = "needs FreeSWITCH (set FREESWITCH_BIN and run `make test-freeswitch`)"
NEED_SIPP = "needs SIPp (apt-get install sip-tester)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--switch`."""
    parser.addoption(
        "--switch",
        choices=["lab", "freeswitch"],
        default=os.environ.get("SWITCH", "lab"),
        help="the switch that the tests run on (also from the environment: SWITCH)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once a run that could not show what it is meant to."""
    if config.getoption("--switch") == "freeswitch" and freeswitch.find() is None:
        raise pytest.UsageError("--switch=freeswitch: set FREESWITCH_BIN or put freeswitch on the PATH")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a real FreeSWITCH when the run is on the lab switch."""
    if config.getoption("--switch") == "freeswitch":
        return
    for item in items:
        if item.get_closest_marker("freeswitch_only"):
            item.add_marker(pytest.mark.skip(reason=NEED_FREESWITCH))


@pytest.fixture(scope="session")
def switch(request: pytest.FixtureRequest) -> SwitchKind:
    """The kind of switch of this run: lab or freeswitch."""
    kind: SwitchKind = request.config.getoption("--switch")
    return kind


@contextmanager
def started(kind: SwitchKind, settings: RenderSettings, base: Path) -> Iterator[None]:
    """A switch of that kind alone, on the product's configuration rendered into `base`, until the end of `with`."""
    render(settings, template_dir(), base / "conf")
    Path(settings.prompts_dir).mkdir(parents=True)
    launch = freeswitch.launch_lab if kind == "lab" else freeswitch.launch_freeswitch
    process = launch(settings, base / "conf", base / "logs")
    try:
        process.wait_ready(lambda: freeswitch.is_up(settings), 30)
        yield
    finally:
        process.stop()


@pytest.fixture(scope="session")
def sipp() -> Path:
    """The SIPp program."""
    found = shutil.which("sipp")
    if found is None:
        pytest.skip(NEED_SIPP)
    return Path(found)
