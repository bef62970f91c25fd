"""Callers who write into our headers, by SIPp."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.session.admission import NAME_LIMIT
from tests.sip.conftest import SHORT_NUMBER, System, nodes
from tests.sip.sipp import agent, calling, calls, ending, sip_call_ids, the_next_call_is_served

pytestmark = [pytest.mark.usefixtures("sipp"), pytest.mark.req("R11")]

HOSTILE = (
    "x%0Avariable_ua%3A evil",
    "x%0AUnique-ID%3A%20victim%0AEvent-Name%3A%20CHANNEL_HANGUP",
    "x%0Avariable_cw_seen%3A true%0Avariable_cw_attempt%3A 7",
    "x%0d%0a%0d%0asendmsg%0acall-command%3a hangup",
    "${system(touch OWNED)}${hangup}",
    "a\\\"b'c|d,e;f{g}h^^i&park()",
    "%00%ff%fe%",
)
"""OWNED stands for a file that nobody may come to make: tests/sip/test_doctor.py shows that such a command can."""


def test_hostile_headers_change_nothing_but_themselves(system: System, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    callers = {words.replace("OWNED", str(owned)): system.new_caller() for words in HOSTILE}
    with agent(system) as phone, ExitStack() as stack:
        runs = {}
        for words, caller in callers.items():
            values = {"name": words, "header": words}
            run = calling(system, "uac_hostile_headers_expect_talk", SHORT_NUMBER, caller, values=values)
            runs[words] = stack.enter_context(run)
        for words, run in runs.items():
            assert f"\nUser-Agent: {words}\n" in run.wait().messages.replace("\r", ""), "sent as it stands there"
        assert phone.stop().successful == len(HOSTILE)
    for words, caller in callers.items():
        record = system.record(caller)
        assert nodes(record) == ["answer", "menu", "alice", "hangup"], words
        assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
        assert (record["caller"], record["did"], record["resumed"]) == (caller, SHORT_NUMBER, 0)
        assert record["call_id"] != "victim"
        assert record["caller_name"].isprintable()
    assert not owned.exists(), "the switch ran a command that a caller sent"
    the_next_call_is_served(system)


HOSTILE_NUMBERS = (
    "x%0Avariable_ua%3A%20evil",
    "%0AUnique-ID%3A%20victim",
    "$%7Bsystem(x)%7D",
    "420%27%7C%5E%5E",
    "1" * 300,
)


def test_a_hostile_number_is_no_number(system: System) -> None:
    with agent(system) as phone, ExitStack() as stack:
        runs = [
            stack.enter_context(calling(system, "uac_menu_agent_expect_talk", SHORT_NUMBER, number))
            for number in HOSTILE_NUMBERS
        ]
        results = [run.wait() for run in runs]
        assert phone.stop().successful == len(HOSTILE_NUMBERS)
    for result in results:
        (sip_call_id,) = sip_call_ids(result)
        (record,) = system.records(1, did=SHORT_NUMBER, sip_call_id=sip_call_id)
        assert nodes(record) == ["answer", "menu", "alice", "hangup"]
        assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
        assert (record["caller"], record["caller_name"], record["resumed"]) == ("", "Caller", 0)
    the_next_call_is_served(system)


LONG = 8000
"""Twice, once in each header: as much as fits into one packet of UDP without being cut by SIPp."""


@pytest.mark.parametrize("tcp", [False, pytest.param(True, marks=pytest.mark.freeswitch_only)], ids=["UDP", "TCP"])
def test_very_long_headers(system: System, tcp: bool) -> None:
    caller = system.new_caller()
    values = {"name": "x" * LONG, "header": "%0A" * (LONG // 3)}
    with agent(system) as phone:
        calls(system, "uac_hostile_headers_expect_talk", SHORT_NUMBER, caller, values=values, tcp=tcp)
        assert phone.stop().ok
    record = system.record(caller)
    assert nodes(record) == ["answer", "menu", "alice", "hangup"]
    assert ending(record) == ("handled", "agent", "NORMAL_CLEARING")
    assert record["caller_name"] == "x" * NAME_LIMIT
    the_next_call_is_served(system)
