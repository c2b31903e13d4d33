"""Concurrent runs: slots with a lease, in Lua. A slot that is not renewed frees itself, as after a crash."""

# occupied: how many slots are taken, after those are dropped whose lease ran out; times in milliseconds
# occupy:   takes a slot, or renews its lease
LUA = """
local function occupied(slots, now)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  return redis.call('ZCARD', slots)
end

local function occupy(slots, slot, now, lease)
  redis.call('ZADD', slots, now + lease, slot)
  redis.call('PEXPIRE', slots, 2 * lease)
end
"""
