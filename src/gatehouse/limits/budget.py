"""Tokens a day, in Lua: reserved before a run, settled when it has ended. A day is Redis's, in UTC.

A reservation is a member `seat:tokens` of a sorted set, with a lease. Their sum is kept beside what was used.
"""

DAY_SECONDS = 86_400

# committed:  tokens used today, and tokens reserved, after reservations are dropped whose lease ran out.
#             A set that is gone as a whole took its reservations with it.
# reserve:    makes a reservation, or renews its lease
# unreserve:  gives one back; one that has lapsed is no error
# spend:      counts tokens as used; `committed` comes first, so that the day is today's
LUA = """
local DAY_MS, KEPT_S = 86400000, 172800

local function tokens_of(member) return tonumber(string.match(member, ':(%d+)$')) end

local function committed(tokens, reserved, now)
  local lapsed = redis.call('ZRANGEBYSCORE', reserved, '-inf', now)
  for _, member in ipairs(lapsed) do
    redis.call('HINCRBY', tokens, 'reserved', string.format('%.0f', -tokens_of(member)))
    redis.call('ZREM', reserved, member)
  end
  local found = redis.call('HMGET', tokens, 'day', 'used', 'reserved')
  local used, held = tonumber(found[2] or 0), tonumber(found[3] or 0)
  local day = string.format('%.0f', math.floor(now / DAY_MS))
  if found[1] ~= day then
    redis.call('HSET', tokens, 'day', day, 'used', 0)
    used = 0
  end
  if held ~= 0 and redis.call('EXISTS', reserved) == 0 then
    redis.call('HSET', tokens, 'reserved', 0)
    held = 0
  end
  redis.call('EXPIRE', tokens, KEPT_S)
  return used, held
end

local function reserve(tokens, reserved, member, now, lease)
  if redis.call('ZADD', reserved, now + lease, member) == 1 then
    redis.call('HINCRBY', tokens, 'reserved', string.format('%.0f', tokens_of(member)))
  end
  redis.call('PEXPIRE', reserved, 2 * lease)
end

local function unreserve(tokens, reserved, member)
  if redis.call('ZREM', reserved, member) == 1 then
    redis.call('HINCRBY', tokens, 'reserved', string.format('%.0f', -tokens_of(member)))
  end
end

local function spend(tokens, count) redis.call('HINCRBY', tokens, 'used', count) end
"""
