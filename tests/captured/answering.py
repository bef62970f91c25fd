"""A switch that runs on the product's own configuration, with an engine that does with a call what its number says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from callwright.local.stack import SwitchKind
from dialplan.settings import Rtp, SipListen
from tests.plugins.switches import started
from tests.unit.freeswitch_conf.real_switch import Engine, Wire, free_port, settings_in

NUMBERS = {
    "+420221111000": ("answer", ""),
    "+420221111001": ("hangup", "USER_BUSY"),
    "+420221111002": ("ring_ready", ""),
    "+420221111003": ("pre_answer", ""),
}
"""The application that a call to each begins with; what follows is up to the caller."""


@contextmanager
def answering_switch(kind: SwitchKind, base: Path, at: tuple[str, int] | None = None) -> Iterator[tuple[str, int]]:
    """Yields where the trunk's side listens, which is `at` if that is given. Its state lies in `base`."""
    ip, port = at or ("127.0.0.1", free_port())
    settings = settings_in(base, rtp=Rtp("127.0.0.1", 27000, 27400), sip_external=SipListen(ip, port))
    with started(kind, settings, base), Engine(settings.engines[0], (_serve,)):
        yield ip, port


def _serve(wire: Wire, call: Mapping[str, str]) -> None:
    first, argument = NUMBERS[call["Caller-Destination-Number"]]
    wire.execute(first, argument)
    while wire.read()[0]:
        pass
