"""What the journal does in Redis, as one Lua script: a batch of steps for many calls is one command and one answer."""

from __future__ import annotations

import hashlib

STEPS = """
-- ARGV: engine, seconds for which the journal of a call that is over is kept; then for each step
-- its kind, the call, the number of its values, the values: number and entry, number and entry...

local function take(stream, first, last)
  local length = redis.call('XLEN', stream)
  if first > last then return 'ok' end
  if tonumber(ARGV[first]) > length + 1 then return 'gap' end
  local fresh = false
  for i = first, last, 2 do
    if tonumber(ARGV[i]) <= length then
      local there = redis.call('XRANGE', stream, ARGV[i] .. '-0', ARGV[i] .. '-0')[1]
      if not there or there[2][2] ~= ARGV[i + 1] then return 'conflict' end
    else
      fresh = true
    end
  end
  if not fresh then return 'ok' end
  if length > 0 then
    local before = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1][2][2]
    if string.find(before, '"kind":"ended"', 1, true) then return 'conflict' end
  end
  for i = first, last, 2 do
    if tonumber(ARGV[i]) > length then
      redis.call('XADD', stream, ARGV[i] .. '-0', 'e', ARGV[i + 1])
    end
  end
  return 'ok'
end

local engine, keep_s = ARGV[1], ARGV[2]

local function began(entry)
  return tonumber(string.match(entry, '"at_ms":(%d+)'))
end

local function close(call, stream)
  redis.call('EXPIRE', stream, keep_s)
  redis.call('HDEL', 'cw:open', call)
  return 'ok'
end

local kinds = {
  add = function(_, stream, first, last) return take(stream, first, last) end,
  hold = function(call) redis.call('HSET', 'cw:open', call, engine) return 'ok' end,
  close = close,
  -- late entries of a call, which is ours where nobody went on with it after them
  join_held = function(call, stream, first, last)
    -- Two engines that could not read of each other have both begun the call: the second one has it.
    local theirs = redis.call('XRANGE', stream, '1-0', '1-0')[1]
    if theirs and ARGV[first] == '1' and began(theirs[2][2]) < began(ARGV[first + 1]) then
      redis.call('DEL', stream)
    end
    local taken = take(stream, first, last)
    if taken == 'ok' and tonumber(ARGV[last - 1]) == redis.call('XLEN', stream) then
      redis.call('HSET', 'cw:open', call, engine)
    end
    return taken
  end,
  close_ours = function(call, stream)
    local holder = redis.call('HGET', 'cw:open', call)
    if holder and holder ~= engine then return 'ok' end
    return close(call, stream)
  end,
}

local answers = {}
local at = 3
while at <= #ARGV do
  local call, count = ARGV[at + 1], tonumber(ARGV[at + 2])
  answers[#answers + 1] = kinds[ARGV[at]](call, 'cw:journal:' .. call, at + 3, at + 2 + count)
  at = at + 3 + count
end
return answers
"""
"""All of a call's entries in a step or none: an entry that is there with another content was written by another engine,
and so was an end behind which we would go on. A quotation mark within a text of an entry is escaped, so the end is no
text. The answer has `ok`, `conflict` or `gap` for each step."""

STEPS_SHA = hashlib.sha1(STEPS.encode(), usedforsecurity=False).hexdigest()
