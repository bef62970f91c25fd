"""What the tests by SIPp share: where SIPp's callers call, and the phones of its agents."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

from sipp_scenarios.runner import Account, Sipp, SippResult, run_uac, start_uac, start_uas
from tests.sip.conftest import SHORT_NUMBER, System, nodes

TALKS = "uas_agent_answers_talks_hangs_up"
INTO_THE_PROMPT_MS = 300
"""After the answer the first prompt of the short flow plays, and its menu takes keys."""


def outside(system: System) -> tuple[str, int]:
    """The trunk's side of the switch."""
    return system.stack.sip_external.host, system.stack.sip_external.port


def inside(system: System) -> tuple[str, int]:
    """The agents' side of the switch."""
    return system.stack.sip_internal.host, system.stack.sip_internal.port


def account(system: System, index: int = 0) -> Account:
    """What alice's phone (bob's for 1) registers with."""
    found = system.stack.agents[index]
    return Account(found.id, found.password, system.stack.config.dialplan.domain)


def agent(system: System, behaviour: str = TALKS, index: int = 0) -> AbstractContextManager[Sipp]:
    """Alice's phone (bob's for 1), registered, until the end of the block."""
    return start_uas(behaviour, registrar=inside(system), phones=[account(system, index)])


def calling(system: System, scenario: str, number: str, caller: str, **options: Any) -> AbstractContextManager[Sipp]:
    """A call in over the trunk that goes on beside the block; options as of `start_uac`."""
    options.setdefault("pause_ms", INTO_THE_PROMPT_MS)
    return start_uac(scenario, outside(system), number, caller=caller, **options)


def calls(system: System, scenario: str, number: str, caller: str, **options: Any) -> SippResult:
    """A call in over the trunk, to its end; options as of `start_uac`. Raises ScenarioFailed."""
    options.setdefault("pause_ms", INTO_THE_PROMPT_MS)
    return run_uac(scenario, outside(system), number, caller=caller, **options)


def the_next_call_is_served(system: System) -> None:
    """Whatever came before: somebody calls, hears the prompt, hangs up, and has a record."""
    caller = system.new_caller()
    calls(system, "uac_hangs_up_in_prompt_expect_lost", SHORT_NUMBER, caller)
    assert nodes(system.record(caller)) == ["answer", "menu"]


def sip_call_ids(result: SippResult) -> set[str]:
    """The calls of a run, as SIPp logged them."""
    return set(re.findall(r"^Call-ID: (\S+)", result.messages, flags=re.MULTILINE))


def ending(record: dict[str, Any]) -> tuple[str, str, str]:
    """How a call ended: result, by whom, hangup cause."""
    return record["result"], record["hung_up_by"], record["hangup_cause"]
