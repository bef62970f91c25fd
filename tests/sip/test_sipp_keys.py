"""Keys by SIP INFO, from SIPp's callers; those by RFC 2833 are in all the other tests."""

from __future__ import annotations

import pytest

from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calls, ending

pytestmark = pytest.mark.usefixtures("sipp")


@pytest.mark.req("R20")
@pytest.mark.parametrize("form", ["relay", "dtmf"])
def test_key_by_info(system: System, form: str) -> None:
    caller = system.new_caller()
    with agent(system) as phone:
        calls(system, f"uac_key_by_info_{form}_expect_talk", SHORT_NUMBER, caller)
        assert phone.stop().ok
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "hangup"]
    assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
