"""The end of `callwright up` with calls on."""

from __future__ import annotations

from callwright.local import freeswitch
from tests.sip.conftest import System, listens_to_the_welcome


def test_calls_are_hung_up_first_so_that_their_records_are_complete(system: System) -> None:
    caller = system.new_caller()
    call = system.call(caller=caller)
    listens_to_the_welcome(call)
    freeswitch.hang_up_all(system.stack.plan.settings)
    record = system.record(caller)
    assert (record["hangup_cause"], record["hung_up_by"]) == ("MANAGER_REQUEST", "system")
