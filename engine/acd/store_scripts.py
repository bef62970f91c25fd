"""What the queues' shared state does in Redis: every step one Lua script, done wholly or not at all.

Answers begin with a word: `ok`, `lost` (another generation), `stale` (another lease), `outdated` with the agents as
they are, `gone` (the member), `over` (the offer).

Keys in Redis, those with <g> of one generation:
    cw:acd:generation           what the state is called; missing: everything is lost
    cw:acd:fence                the last fencing number
    cw:acd:events               stream of agents' events, field `e` the event as JSON
    cw:acd:<g>:lease:<pool>     hash owner, number, until (ms), steps (how many were done under leases of the pool)
    cw:acd:<g>:agents           hash agent → record as JSON
    cw:acd:<g>:stamps           hash agent → version and state of that record
    cw:acd:<g>:ready:<queue>    sorted set of available agents, by since when
    cw:acd:<g>:in:<queue>       set of agents who are logged in to it
    cw:acd:<g>:members:<pool>   hash member → JSON
    cw:acd:<g>:waiting:<queue>  sorted set of members, by when they joined
    cw:acd:<g>:refused:<member> hash agent → until when (ms) he is not asked again
    cw:acd:<g>:offered:<pool>   hash member → number of the offer that is out
    cw:acd:<g>:offers:<pool>    set of numbers
    cw:acd:<g>:offer:<number>   hash pool, member, json, taken, engine
    cw:acd:<g>:asked:<number>   set of the agents whom it holds
    cw:acd:<g>:engines:<pool>   hash member → engine that has his call
    cw:acd:<g>:changes          stream of agents' records as they became, field `a` the record as JSON
    cw:acd:<g>:pool:<pool>      stream of what became of members: fields of `news.MemberNews`
    cw:acd:<g>:numbers          hash `changes` or `pool:<pool>` → last number of that stream; its ids are <number>-0
    cw:acd:<g>:inbox:<engine>   stream for one engine: `k` its kind, `v` JSON (`news.Told`)
    cw:acd:<g>:figures          hash queue → `news.QueueFigures` as JSON
    cw:acd:<g>:lines            hash pool → list of `lines.KnownLine` as JSON
    cw:acd:why:<member>         stream, field `v` a `news.Explanation` as JSON; stays when the state is lost
"""

from __future__ import annotations

import hashlib

from engine.acd.news import KEEP_NEWS, KEEP_TOLD, KEEP_TOLD_MS, KEEP_WHY, KEEP_WHY_MS

_COMMON = (
    f"""
local KEEP_NEWS, KEEP_TOLD, KEEP_TOLD_MS = {KEEP_NEWS}, {KEEP_TOLD}, {KEEP_TOLD_MS}
local KEEP_WHY, KEEP_WHY_MS = {KEEP_WHY}, {KEEP_WHY_MS}
"""
    + """
if redis.call('GET', 'cw:acd:generation') ~= ARGV[1] then return {'lost'} end
local K = 'cw:acd:' .. ARGV[1] .. ':'

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Whether this is the pool's lease. `seen`: a step of it that was answered; redis knows less where it fell back.
local function held(pool, number, seen)
  local lease = redis.call('HMGET', K .. 'lease:' .. pool, 'number', 'steps')
  if lease[1] ~= number then
    if lease[1] and tonumber(lease[1]) > tonumber(number) then return 'stale' end
    return 'lost'
  end
  if tonumber(lease[2]) < tonumber(seen) then return 'lost' end
end

local function step(pool) return redis.call('HINCRBY', K .. 'lease:' .. pool, 'steps', 1) end

-- For owners. Numbers leave no gap, so that who missed something sees it.
local function news(stream, ...)
  local number = string.format('%.0f-0', redis.call('HINCRBY', K .. 'numbers', stream, 1))
  redis.call('XADD', K .. stream, 'MAXLEN', '~', KEEP_NEWS, number, ...)
end

local function tell(engine, kind, json)
  if not engine or engine == '' then return end
  redis.call('XADD', K .. 'inbox:' .. engine, 'MAXLEN', '~', KEEP_TOLD, '*', 'k', kind, 'v', json)
  redis.call('PEXPIRE', K .. 'inbox:' .. engine, KEEP_TOLD_MS)
end

local function tell_offer(engine, number, json)
  tell(engine, 'offer', '{"number":"' .. number .. '","offer":' .. json .. '}')
end

local function explain(member, json)
  if json == '' then return end
  redis.call('XADD', 'cw:acd:why:' .. member, 'MAXLEN', KEEP_WHY, '*', 'v', json)
  redis.call('PEXPIRE', 'cw:acd:why:' .. member, KEEP_WHY_MS)
end

-- The agents of these changes who are not what they were believed to be.
local function outdated(changes)
  local answer, different = {'outdated'}, false
  for _, each in ipairs(changes) do
    if (redis.call('HGET', K .. 'stamps', each.id) or '') ~= each.was then
      different = true
      local there = redis.call('HGET', K .. 'agents', each.id)
      if there then answer[#answer + 1] = there end
    end
  end
  return different and answer
end

local function put(changes)
  for _, each in ipairs(changes) do
    redis.call('HSET', K .. 'stamps', each.id, each.stamp)
    redis.call('HSET', K .. 'agents', each.id, each.json)
    for _, queue in ipairs(each.from) do
      redis.call('ZREM', K .. 'ready:' .. queue, each.id)
      redis.call('SREM', K .. 'in:' .. queue, each.id)
    end
    for _, queue in ipairs(each.to) do
      redis.call('SADD', K .. 'in:' .. queue, each.id)
      if each.ready ~= '' then redis.call('ZADD', K .. 'ready:' .. queue, each.ready, each.id) end
    end
    if each.event ~= '' then
      redis.call('XADD', 'cw:acd:events', 'MAXLEN', '~', each.keep, '*', 'e', each.event)
    end
    news('changes', 'a', each.json)
  end
end

-- The member waits no more: `left` or `taken`. `number`: the offer that was out for him. `gave_up`: 1 where he hung up
local function forget(pool, member, became, number, gave_up)
  local queue = cjson.decode(redis.call('HGET', K .. 'members:' .. pool, member)).queue
  local engine = redis.call('HGET', K .. 'engines:' .. pool, member)
  redis.call('HDEL', K .. 'members:' .. pool, member)
  redis.call('HDEL', K .. 'offered:' .. pool, member)
  redis.call('ZREM', K .. 'waiting:' .. queue, member)
  redis.call('DEL', K .. 'refused:' .. member)
  redis.call('HDEL', K .. 'engines:' .. pool, member)
  news('pool:' .. pool, 'k', became, 'm', member, 'n', number or '', 'e', engine, 'g', gave_up or '')
  return engine
end
"""
)

ATTACH = """
-- ARGV: a new generation's name, the one that is known to be lost
local there = redis.call('GET', 'cw:acd:generation')
if there and there ~= ARGV[2] then return {'ok', there} end
redis.call('SET', 'cw:acd:generation', ARGV[1])
return {'ok', ARGV[1]}
"""

ACQUIRE = (
    _COMMON
    + """
-- ARGV: generation, pool, owner, for how many ms
local key, now = K .. 'lease:' .. ARGV[2], now_ms()
local lease = redis.call('HMGET', key, 'owner', 'until')
if lease[1] and lease[1] ~= ARGV[3] and tonumber(lease[2]) > now then return {'ok'} end
-- Not below the clock (in microseconds, which a double holds): after a loss of all data numbers go on rising.
local t = redis.call('TIME')
local number = math.max(tonumber(redis.call('GET', 'cw:acd:fence') or 0) + 1, t[1] * 1000000 + t[2])
number = string.format('%.0f', number)
local untilms = string.format('%.0f', now + ARGV[4])
redis.call('SET', 'cw:acd:fence', number)
redis.call('HSET', key, 'owner', ARGV[3], 'number', number, 'until', untilms)
return {'ok', number, untilms, step(ARGV[2])}
"""
)

RENEW = (
    _COMMON
    + """
-- ARGV: generation, pool, number, step seen, for how many ms (0: give it back)
local wrong = held(ARGV[2], ARGV[3], ARGV[4])
if wrong then return {wrong} end
local untilms = string.format('%.0f', now_ms() + ARGV[5])
redis.call('HSET', K .. 'lease:' .. ARGV[2], 'until', untilms)
return {'ok', untilms, step(ARGV[2])}
"""
)

LOOK = (
    _COMMON
    + """
-- ARGV: generation, agent
local t = redis.call('TIME')
return {'ok', t[1], t[2], redis.call('HGET', K .. 'agents', ARGV[2])}
"""
)

RESERVE = (
    _COMMON
    + """
-- ARGV: generation, pool, lease's number, step seen, offer's number, member, then as JSON: offer, changes, why
local pool, number, member = ARGV[2], ARGV[5], ARGV[6]
local wrong = held(pool, ARGV[3], ARGV[4])
if wrong then return {wrong} end
if redis.call('HEXISTS', K .. 'members:' .. pool, member) == 0
  or redis.call('HEXISTS', K .. 'offered:' .. pool, member) == 1 then return {'gone'} end
local changes = cjson.decode(ARGV[8])
local different = outdated(changes)
if different then return different end
put(changes)
local engine = redis.call('HGET', K .. 'engines:' .. pool, member)
redis.call('HSET', K .. 'offer:' .. number,
  'pool', pool, 'member', member, 'json', ARGV[7], 'taken', '', 'engine', engine)
for _, each in ipairs(changes) do redis.call('SADD', K .. 'asked:' .. number, each.id) end
redis.call('SADD', K .. 'offers:' .. pool, number)
redis.call('HSET', K .. 'offered:' .. pool, member, number)
tell_offer(engine, number, ARGV[7])
explain(member, ARGV[9])
return {'ok', step(pool)}
"""
)

DISMISS = (
    _COMMON
    + """
-- ARGV: generation, pool, lease's number, step seen, member, reason, why as JSON
local pool, member = ARGV[2], ARGV[5]
local wrong = held(pool, ARGV[3], ARGV[4])
if wrong then return {wrong} end
if redis.call('HEXISTS', K .. 'members:' .. pool, member) == 0
  or redis.call('HEXISTS', K .. 'offered:' .. pool, member) == 1 then return {'gone'} end
local queue = cjson.decode(redis.call('HGET', K .. 'members:' .. pool, member)).queue
tell(forget(pool, member, 'left'), 'leave', cjson.encode({member = member, queue = queue, reason = ARGV[6]}))
explain(member, ARGV[7])
return {'ok', step(pool)}
"""
)

TELL = (
    _COMMON
    + """
-- ARGV: generation, pool, lease's number, step seen, then as JSON: messages (engine, kind, message), figures by queue,
-- lines or ''
local wrong = held(ARGV[2], ARGV[3], ARGV[4])
if wrong then return {wrong} end
for _, each in ipairs(cjson.decode(ARGV[5])) do tell(each[1], each[2], each[3]) end
for queue, line in pairs(cjson.decode(ARGV[6])) do redis.call('HSET', K .. 'figures', queue, line) end
if ARGV[7] ~= '' then redis.call('HSET', K .. 'lines', ARGV[2], ARGV[7]) end
return {'ok', step(ARGV[2])}
"""
)

FIGURES = (
    _COMMON
    + """
-- ARGV: generation, queue
return {'ok', redis.call('HGET', K .. 'figures', ARGV[2])}
"""
)

ALL_FIGURES = (
    _COMMON
    + """
-- ARGV: generation
return {'ok', redis.call('HVALS', K .. 'figures')}
"""
)

CHANGE = (
    _COMMON
    + """
-- ARGV: generation, changes as JSON (one), offer's number or '', what becomes of it, ms for which he is not asked again
local changes, number, kind = cjson.decode(ARGV[2]), ARGV[3], ARGV[4]
local different = outdated(changes)
if different then return different end
if number == '' then
  put(changes)
  return {'ok'}
end

local agent = changes[1].id
local key, asked = K .. 'offer:' .. number, K .. 'asked:' .. number
local offer = redis.call('HMGET', key, 'pool', 'member', 'taken')
local pool, member, taken = offer[1], offer[2], offer[3]
local waits = pool and redis.call('HGET', K .. 'offered:' .. pool, member) == number
if kind == 'take' then
  if not waits or taken ~= '' then return {'over'} end
  redis.call('HSET', key, 'taken', agent)
elseif kind == 'begin' then
  -- Only who accepted gets here: his record says so.
  if not waits then return {'over'} end
  forget(pool, member, 'taken', number)
  redis.call('SREM', asked, agent)
elseif pool then
  redis.call('SREM', asked, agent)
  if taken == agent and waits then redis.call('HSET', key, 'taken', '') end
  if waits and tonumber(ARGV[5]) > 0 then
    redis.call('HSET', K .. 'refused:' .. member, agent, string.format('%.0f', now_ms() + ARGV[5]))
  end
end
put(changes)
if pool and redis.call('SCARD', asked) == 0 then
  redis.call('DEL', key)
  redis.call('SREM', K .. 'offers:' .. pool, number)
  if waits and kind ~= 'begin' then
    redis.call('HDEL', K .. 'offered:' .. pool, member)
    local refused = cjson.encode(redis.call('HGETALL', K .. 'refused:' .. member))
    news('pool:' .. pool, 'k', 'back', 'm', member, 'n', number, 'r', refused)
  end
end
return {'ok'}
"""
)

DROP = (
    _COMMON
    + """
-- ARGV: generation, changes as JSON (one: an agent who is logged out, so that no other key holds him)
local changes = cjson.decode(ARGV[2])
local different = outdated(changes)
if different then return different end
redis.call('HDEL', K .. 'stamps', changes[1].id)
redis.call('HDEL', K .. 'agents', changes[1].id)
return {'ok'}
"""
)

JOIN = (
    _COMMON
    + """
-- ARGV: generation, pool, member, queue, when he joined, member as JSON, engine
local pool, member, engine = ARGV[2], ARGV[3], ARGV[7]
local members, engines = K .. 'members:' .. pool, K .. 'engines:' .. pool
if redis.call('HSETNX', members, member, ARGV[6]) == 1 then
  redis.call('ZADD', K .. 'waiting:' .. ARGV[4], ARGV[5], member)
end
local there = redis.call('HGET', members, member)
if redis.call('HGET', engines, member) ~= engine then
  redis.call('HSET', engines, member, engine)
  news('pool:' .. pool, 'k', 'joined', 'm', member, 'e', engine, 'v', there)
end
-- Whoever took his call up must know whom to ring: another engine, or the same one, which died and is back.
local number = redis.call('HGET', K .. 'offered:' .. pool, member)
if number then
  redis.call('HSET', K .. 'offer:' .. number, 'engine', engine)
  tell_offer(engine, number, redis.call('HGET', K .. 'offer:' .. number, 'json'))
end
return {'ok', there, redis.call('HGETALL', K .. 'refused:' .. member)}
"""
)

LEAVE = (
    _COMMON
    + """
-- ARGV: generation, pool, member, 1 where he hung up
if redis.call('HEXISTS', K .. 'members:' .. ARGV[2], ARGV[3]) == 0 then return {'ok'} end
local number = redis.call('HGET', K .. 'offered:' .. ARGV[2], ARGV[3])
forget(ARGV[2], ARGV[3], 'left', number, ARGV[4])
return {'ok', number}
"""
)

LOAD = (
    _COMMON
    + """
-- ARGV: generation, pool
local members = redis.call('HGETALL', K .. 'members:' .. ARGV[2])
local refused = {}
for i = 1, #members, 2 do refused[#refused + 1] = redis.call('HGETALL', K .. 'refused:' .. members[i]) end
local offers = {}
for _, number in ipairs(redis.call('SMEMBERS', K .. 'offers:' .. ARGV[2])) do
  local offer = redis.call('HMGET', K .. 'offer:' .. number, 'json', 'taken', 'engine')
  offers[#offers + 1] = {number, offer[1], offer[2], redis.call('SMEMBERS', K .. 'asked:' .. number), offer[3]}
end
return {'ok', members, refused, offers, redis.call('HGETALL', K .. 'offered:' .. ARGV[2]),
  redis.call('HVALS', K .. 'agents'), redis.call('HGETALL', K .. 'engines:' .. ARGV[2]),
  redis.call('HMGET', K .. 'numbers', 'changes', 'pool:' .. ARGV[2]), redis.call('HGET', K .. 'lines', ARGV[2])}
"""
)

COUNTS = (
    _COMMON
    + """
-- ARGV: generation, queue
return {'ok', redis.call('SCARD', K .. 'in:' .. ARGV[2]), redis.call('ZCARD', K .. 'ready:' .. ARGV[2]),
  redis.call('ZCARD', K .. 'waiting:' .. ARGV[2])}
"""
)

SHA = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (
        ATTACH,
        ACQUIRE,
        RENEW,
        LOOK,
        RESERVE,
        DISMISS,
        TELL,
        FIGURES,
        ALL_FIGURES,
        CHANGE,
        DROP,
        JOIN,
        LEAVE,
        LOAD,
        COUNTS,
    )
}
