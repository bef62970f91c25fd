"""What the switch must refuse, by SIPp: and that the next call is served as if nothing had been."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipp_scenarios.runner import ScenarioFailed, register, run_uac
from tests.sip.conftest import SHORT_NUMBER, UNKNOWN_NUMBER, System
from tests.sip.sipp import account, calls, ending, inside, outside, the_next_call_is_served

pytestmark = pytest.mark.usefixtures("sipp")


NO_CALL = (
    "uac_unknown_codec_expect_488",
    "uac_without_offer_expect_480",
    "uac_broken_from_expect_400",
    "uac_unknown_extension_expect_420",
    "uac_foreign_body_expect_415",
)


@pytest.mark.parametrize("scenario", NO_CALL)
def test_an_invite_that_cannot_be_a_call(system: System, scenario: str) -> None:
    caller = system.new_caller()
    calls(system, scenario, SHORT_NUMBER, caller)
    the_next_call_is_served(system)
    assert system.api.get("/calls", caller=caller)["calls"] == [], "no call, no record"


@pytest.mark.req("R90")
def test_an_unknown_number(system: System) -> None:
    caller = system.new_caller()
    calls(system, "uac_unknown_number_expect_404", UNKNOWN_NUMBER, caller)
    record = system.record(caller)
    assert (record["did"], record["flow"], record["reason"]) == (UNKNOWN_NUMBER, "", "no_route")
    assert ending(record) == ("other_end", "system", "UNALLOCATED_NUMBER")


def test_somebody_without_an_account_on_the_agents_side(system: System) -> None:
    caller = system.new_caller()
    run_uac("uac_stranger_inside_expect_407", inside(system), SHORT_NUMBER, caller=caller)
    assert system.api.get("/calls", caller=caller)["calls"] == []


def test_a_wrong_password(system: System) -> None:
    alice = account(system)
    with pytest.raises(ScenarioFailed, match=r"SIP/2\.0 403"):
        register(inside(system), replace(alice, password="not-" + alice.password))


def test_a_trunk_asks_whether_we_live(system: System) -> None:
    run_uac("uac_options_expect_200", outside(system), "", caller=system.new_caller())
