"""Work that goes on beside the caller's channel, in a greenlet of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import gevent
from gevent.queue import Queue

from engine.switch.port import Channel, ChannelEnd, ChannelGone, SwitchLost

_R = TypeVar("_R")


def beside(channel: Channel, work: Callable[[], _R]) -> _R:
    """What the work comes to. Raises ChannelGone and SwitchLost as soon as the channel ends, and gives the work up;
    raises whatever the work raises.
    """
    first: Queue[Any] = Queue()
    working = gevent.spawn(_outcome, work)
    working.link(first.put)
    take_back = channel.on_end(first.put)
    try:
        came = first.get()
    finally:
        take_back()
        working.unlink(first.put)
        working.kill(block=False)
    if came is None:
        raise SwitchLost(f"call {channel.info.uuid}: connection lost")
    if isinstance(came, ChannelEnd):
        raise ChannelGone(came)
    result, fault = working.value
    if fault is not None:
        raise fault
    return cast("_R", result)


def _outcome(work: Callable[[], _R]) -> tuple[_R | None, Exception | None]:
    try:
        return work(), None
    except Exception as fault:  # noqa: BLE001 - raised again in the greenlet that waits
        return None, fault
