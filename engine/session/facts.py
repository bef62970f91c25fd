"""A call's facts as its flow sees them: the same for the call itself and for whoever runs it again from its journal."""

from __future__ import annotations

from engine.domain.call import CallFacts
from ivr_flows.call import CallData


def call_data(facts: CallFacts) -> CallData:
    """What the flow's program begins with."""
    return CallData(
        did=facts.did,
        ani=facts.ani,
        anonymous=facts.anonymous,
        caller_name=facts.caller_name,
        language=facts.language,
        started_ms=facts.started_ms,
        call_id=facts.call_id,
    )
