"""The switch of the run against what FreeSWITCH answered to good, bad and stray requests: see `sip/README.md`.

On the lab switch this shows that it is like FreeSWITCH, on FreeSWITCH that the captures are true.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callwright.local.stack import SwitchKind
from tests.captured.answering import answering_switch
from tests.captured.sip_exchange import SIP, Line, Packet, exchange, groups, line
from tests.captured.sip_likeness import differences

NAMES = sorted(path.stem for path in SIP.glob("*.sip"))
LACKING = {"lab": frozenset(("session-expires",)), "freeswitch": frozenset[str]()}
"""Headers that a switch's answers may lack: the lab switch has no session timers (docs/sipp.md)."""


@pytest.fixture(scope="module")
def trunk_side(switch: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Where the trunk's side of a switch listens whose engine does what a call's number says."""
    with answering_switch(switch, tmp_path_factory.mktemp("answering")) as where:
        yield where


def answers(caller: Line, name: str) -> list[tuple[Packet, Packet]]:
    """Plays an exchange: each captured answer with that of now. The one to an OPTIONS at the end shows that no other
    answer came before."""
    asked = "options_outside_a_call"
    last = [Packet(each.side, each.text.replace(asked, f"after_{name}")) for each in exchange(asked)]
    found = []
    for one_of, packets in ((caller, exchange(name)), (Line(caller.socket, caller.switch), last)):
        for request, captured in groups(packets):
            one_of.send(request)
            found += [(each, one_of.receive(like=each)) for each in captured]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_captured(switch: SwitchKind, trunk_side: tuple[str, int], name: str) -> None:
    with line(trunk_side) as caller:
        found = [each for pair in answers(caller, name) for each in differences(*pair, lacking=LACKING[switch])]
    assert not found, "\n".join(found)
