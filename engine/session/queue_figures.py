"""Tells a flow how a queue stands at this moment (R6)."""

from __future__ import annotations

import logging

import gevent

from engine.acd import live
from engine.acd.attached import Attached
from engine.acd.store import AcdStore, StoreError, StoreUnavailable
from engine.domain.routing import RoutingSnapshot
from engine.session.beside import beside
from engine.switch.port import Channel
from ivr_flows.instructions import ReadQueue
from ivr_flows.results import QueueFigures, Refused

log = logging.getLogger(__name__)

LONGEST_S = 2.0
"""So long a caller waits for the figures at the most; he hears nothing meanwhile."""


class QueueReader:
    """One for all calls of an engine, with a store of its own."""

    def __init__(self, store: AcdStore, longest_s: float = LONGEST_S) -> None:
        self._shared, self._longest_s = Attached(lambda: store), longest_s

    def read(self, instruction: ReadQueue, routing: RoutingSnapshot, channel: Channel) -> QueueFigures | Refused:
        """The figures. Raises ChannelGone, SwitchLost: the question is given up."""
        queue = instruction.queue
        if all(each.id != queue for each in routing.queues):
            return Refused(f"no queue {queue!r}")
        try:
            found = beside(channel, lambda: self._ask(queue)).figures
        except StoreError as error:
            log.warning("call %s: figures of queue %s are not known: %s", channel.info.uuid, queue, error)
            return Refused(f"figures of queue {queue!r} are not known: {error}")
        expected_ms = found.expected_wait_ms
        return QueueFigures(
            ready=found.ready,
            logged_in=found.logged_in,
            waiting=found.waiting,
            longest_wait_s=found.longest_wait_ms // 1000,
            expected_wait_s=None if expected_ms is None else round(expected_ms / 1000),
        )

    def _ask(self, queue: str) -> live.LiveFigures:
        with gevent.Timeout(self._longest_s, StoreUnavailable(f"no answer within {self._longest_s:g} s")):
            return self._shared.ask(lambda store: live.figures(store, queue))
