"""`Counts` in Redis.

Keys:
    cw:limit:<line>   hash: who has taken a channel (a call's or leg's id) → when that was last said (ms of Redis's
                      clock), a blank, the call
    cw:open           the journal's open calls, read only
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import redis

from engine.session.limits import CountsAway, Taken

T = TypeVar("T")

FORGET_MS = 10_000
"""What nobody has said for so long, and belongs to no open call, is not taken any more."""
KEEP_KEY_S = 24 * 3600
AT_ONCE = 200
"""Channels that are said again in one step."""

TAKE = """
-- ARGV: ms after which one is forgotten, seconds for which a key is kept; then for each channel
-- its line, the most of that line (-1: whatever is taken), who takes it, the call
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(key)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local said, call = string.match(all[i + 1], '^(%d+) (.*)$')
    if now - said >= tonumber(ARGV[1]) and redis.call('HEXISTS', 'cw:open', call) == 0 then
      redis.call('HDEL', key, all[i])
    end
  end
end

for i = 3, #ARGV, 4 do
  local key, most, by = 'cw:limit:' .. ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  if most >= 0 and redis.call('HEXISTS', key, by) == 0 and redis.call('HLEN', key) >= most then
    forget(key)
    if redis.call('HLEN', key) >= most then return ARGV[i] end
  end
  redis.call('HSET', key, by, string.format('%.0f %s', now, ARGV[i + 3]))
  redis.call('EXPIRE', key, ARGV[2])
end
return false
"""

GIVE_BACK = """
-- ARGV: for each channel its line and who took it
for i = 1, #ARGV, 2 do redis.call('HDEL', 'cw:limit:' .. ARGV[i], ARGV[i + 1]) end
"""


class RedisCounts:
    """One for each process; greenlets may share it."""

    def __init__(self, client: redis.Redis, forget_ms: int = FORGET_MS) -> None:
        self._forget_ms = forget_ms
        self._take = client.register_script(TAKE)
        self._give_back = client.register_script(GIVE_BACK)

    def take(self, wanted: Sequence[tuple[Taken, int]]) -> str | None:
        words = [word for taken, most in wanted for word in (taken.line, most, taken.by, taken.call)]
        full = _asked(lambda: self._take(args=[self._forget_ms, KEEP_KEY_S, *words]))
        return full.decode() if isinstance(full, bytes) else None

    def keep(self, taken: Sequence[Taken]) -> None:
        for at in range(0, len(taken), AT_ONCE):
            self.take([(each, -1) for each in taken[at : at + AT_ONCE]])

    def give_back(self, taken: Sequence[Taken]) -> None:
        for at in range(0, len(taken), AT_ONCE):
            words = [word for each in taken[at : at + AT_ONCE] for word in (each.line, each.by)]
            _asked(lambda words=words: self._give_back(args=words))  # type: ignore[misc]


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except redis.RedisError as error:
        raise CountsAway(f"redis: {error}") from error
