"""The texts of a flow that can be spoken before a call comes: its spoken prompts, and texts without variables, as far
as they are kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr_flows.flow import Flow
from ivr_flows.instructions import Spoken
from ivr_flows.nodes.tts import Tts


def texts(flow: Flow) -> Iterator[Spoken]:
    """Each text once for each language."""
    seen = set()
    for each in _all(flow):
        if each not in seen:
            seen.add(each)
            yield each


def _all(flow: Flow) -> Iterator[Spoken]:
    for sources in flow.prompts.values():
        yield from (source for source in sources.values() if isinstance(source, Spoken))
    for wired in flow.nodes.values():
        if isinstance(wired.node, Tts) and wired.node.keep:
            for language, template in wired.node.text.items():
                if not template.expressions:
                    yield Spoken(template.fill(lambda _: ""), language)
