"""Tells the engines that routing data changed, so that they need not wait for their next look at the version."""

from __future__ import annotations

import logging
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

CHANNEL = "cw:routing"
"""Redis channel of the announcements. The message is the new version in decimal digits."""

FAIL_FAST = Retry(NoBackoff(), 1)
"""For the client: one more try, as the server may have closed an idle connection. Somebody waits for the answer."""


class Announcer(Protocol):
    """Whoever hears of a change after it was committed."""

    def announce(self, version: int) -> None:
        """Routing data has this version now. Never raises."""


class RedisAnnouncer:
    """Announces over Redis. A failure is logged and no more: engines also ask for the version by themselves."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def announce(self, version: int) -> None:
        """Publishes the version."""
        try:
            self._client.publish(CHANNEL, str(version))
        except redis.RedisError as error:
            log.warning("routing version %d is not announced: %s", version, error)


class NoAnnouncer:
    """Announces nothing, where there is no Redis: engines find changes by asking for the version."""

    def announce(self, version: int) -> None:
        """Does nothing."""
