"""What the journal does in Redis in one step, as Lua."""

_TAKE = """
local function take(stream, first)
  local length = redis.call('XLEN', stream)
  if first > #ARGV then return 'ok' end
  if tonumber(ARGV[first]) > length + 1 then return 'gap' end
  local fresh = false
  for i = first, #ARGV, 2 do
    if tonumber(ARGV[i]) <= length then
      local there = redis.call('XRANGE', stream, ARGV[i] .. '-0', ARGV[i] .. '-0')[1]
      if not there or there[2][2] ~= ARGV[i + 1] then return 'conflict' end
    else
      fresh = true
    end
  end
  if not fresh then return 'ok' end
  if length > 0 then
    local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1][2][2]
    if string.find(last, '"kind":"ended"', 1, true) then return 'conflict' end
  end
  for i = first, #ARGV, 2 do
    if tonumber(ARGV[i]) > length then
      redis.call('XADD', stream, ARGV[i] .. '-0', 'e', ARGV[i + 1])
    end
  end
  return 'ok'
end
"""
"""All of a call's entries or none: an entry that is there with another content was written by another engine, and so
was an end behind which we would go on. A quotation mark within a text of an entry is escaped, so the end is no text."""

ADD = _TAKE + "return take(KEYS[1], 1)"

JOIN = (
    _TAKE
    + """
local taken = take(KEYS[1], 4)
if taken == 'ok' and ARGV[3] == 'hold' and tonumber(ARGV[#ARGV - 1]) == redis.call('XLEN', KEYS[1]) then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
return taken
"""
)
"""Late entries of a call, which is ours where nobody went on with it after them."""

CLOSE = """
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('HDEL', KEYS[2], ARGV[1])
"""

CLOSE_OURS = """
local holder = redis.call('HGET', KEYS[2], ARGV[1])
if holder and holder ~= ARGV[2] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HDEL', KEYS[2], ARGV[1])
"""
