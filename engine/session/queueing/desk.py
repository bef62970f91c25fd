"""Agents as calls see them that come past the queues: a queue must not offer anybody to one who talks already."""

from __future__ import annotations

import logging

from engine.acd.agent import Agent, ConversationBegan, ConversationEnded
from engine.acd.store import AcdStore, StoreError
from engine.domain.acd import AgentState
from engine.session.queueing.reports import Reports

log = logging.getLogger(__name__)


class QueueDesk:
    """`engine.session.connect.Desk` over the shared state."""

    def __init__(self, store: AcdStore, reports: Reports) -> None:
        self._store, self._reports = store, reports

    def state_of(self, agent: str) -> AgentState | None:
        """What an agent is doing; None where nobody can tell."""
        known = self._agent(agent)
        return None if known is None else known.state

    def engage(self, agent: str, call: str) -> bool:
        """He is on this call from now on; False where he is in another one. Where nobody can tell, True."""
        try:
            if self._reports.now(agent, ConversationBegan(call)):
                return True
        except StoreError as error:
            log.info("agent %s: queues don't know of his call %s: %s", agent, call, error)
            return True
        known = self._agent(agent)
        return known is None or known.call == call  # taken up by another engine, he is in it already

    def disengage(self, agent: str, call: str) -> None:
        """The call of his own is over."""
        self._reports.agent(agent, ConversationEnded(call))

    def _agent(self, agent: str) -> Agent | None:
        try:
            return self._store.agent(agent)
        except StoreError as error:
            log.info("agent %s: his state is not known: %s", agent, error)
            return None
