"""The scripts: each is one step for every replica, by Redis's own clock.

KEYS are those of the user and then of the tenant, as `gatehouse.limits.keys.Counted` has them.
"""

from gatehouse.limits import budget, concurrency, rate

CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)
"""

# A request, and the runs that it starts. The rate is charged when it has room, even when the runs then have
# none: a caller who keeps asking for a run is a caller who keeps asking.
# keys: two rates; with runs or `look`, slots, reserved and tokens of both.
# text: numbers, which are cheaper to send so: requests, runs' slots, reservations, lease in ms, look (1: tell
#       all, charge nothing), tokens of each reservation, and for user and tenant interval, burst, runs,
#       tokens.
# ids:  of the slots, and then of the reservations.
# Returns the limit that refused (0 none, 1 requests, 2 runs, 3 tokens), who it is of (1 user, 2 tenant),
# microseconds to wait, then of both: microseconds ahead, runs, tokens used, tokens reserved.
ADMITTING = (
    rate.LUA
    + concurrency.LUA
    + budget.LUA
    + CLOCK
    + """
local function admitted(keys, text, ids)
  local numbers = {}
  for number in string.gmatch(text, '%d+') do numbers[#numbers + 1] = tonumber(number) end
  local requests, slots, seats, lease, each = numbers[1], numbers[2], numbers[3], numbers[4], numbers[6]
  local look = numbers[5] == 1
  local function allowed(whose, what) return numbers[2 + 4 * whose + what] end
  local function key(whose, what) return keys[3 * whose - 1 + what] end
  local arrivals, runs, used, reserved = {now, now}, {-1, -1}, {-1, -1}, {-1, -1}

  local function answer(limit, whose, wait)
    return {limit, whose, wait, arrivals[1] - now, runs[1], used[1], reserved[1],
            arrivals[2] - now, runs[2], used[2], reserved[2]}
  end

  local charged, waits = {}, {}
  for whose = 1, 2 do
    arrivals[whose] = math.max(now, tonumber(redis.call('GET', keys[whose]) or now))
    waits[whose], charged[whose] =
      conforms(keys[whose], now, allowed(whose, 1), allowed(whose, 2), requests)
  end
  if requests > 0 then
    local slower = waits[2] > waits[1] and 2 or 1
    if waits[slower] > 0 then return answer(1, slower, waits[slower]) end
    for whose = 1, 2 do
      charge(keys[whose], now, charged[whose])
      arrivals[whose] = charged[whose]
    end
  end
  if slots == 0 and seats == 0 and not look then return answer(0, 0, 0) end

  for whose = 1, 2 do
    runs[whose] = occupied(key(whose, 1), now_ms)
    used[whose], reserved[whose] = committed(key(whose, 3), key(whose, 2), now_ms)
  end
  if look then return answer(0, 0, 0) end
  for whose = 1, 2 do
    if runs[whose] + slots > allowed(whose, 3) then return answer(2, whose, 1000000) end
    local wanted = seats * each
    if used[whose] + reserved[whose] + wanted > allowed(whose, 4) then
      local tomorrow = (math.floor(now_ms / DAY_MS) + 1) * DAY_MS * 1000 - now
      -- what others have reserved may be given back sooner
      return answer(3, whose, used[whose] + wanted > allowed(whose, 4) and tomorrow or 5000000)
    end
  end
  for whose = 1, 2 do
    for at = 1, slots do occupy(key(whose, 1), ids[at], now_ms, lease) end
    for at = 1, seats do reserve(key(whose, 3), key(whose, 2), ids[slots + at], now_ms, lease) end
    runs[whose] = runs[whose] + slots
    reserved[whose] = reserved[whose] + seats * each
  end
  return answer(0, 0, 0)
end
"""
)

# KEYS: as above. ARGV: text, then the ids.
ADMIT = ADMITTING + "return admitted(KEYS, ARGV[1], {unpack(ARGV, 2)})"

# What many callers hold, in one step. KEYS: slots, reserved and tokens of the user and of the tenant, of each
# caller. ARGV: lease in ms, then of each caller the numbers of slots and of reservations, and their ids. What
# lapsed is taken up again: its run goes on.
RENEW = (
    concurrency.LUA
    + budget.LUA
    + CLOCK
    + """
local lease, at = tonumber(ARGV[1]), 2
for first = 0, #KEYS - 1, 6 do
  local slots, seats = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  for whose = first, first + 3, 3 do
    committed(KEYS[whose + 3], KEYS[whose + 2], now_ms)
    for id = at + 2, at + 1 + slots do occupy(KEYS[whose + 1], ARGV[id], now_ms, lease) end
    for id = at + 2 + slots, at + 1 + slots + seats do
      reserve(KEYS[whose + 3], KEYS[whose + 2], ARGV[id], now_ms, lease)
    end
  end
  at = at + 2 + slots + seats
end
"""
)

# KEYS: slots, reserved and tokens of both. ARGV: the number of slots, their ids, then reservations.
RELEASE = (
    budget.LUA
    + """
local slots = tonumber(ARGV[1])
for whose = 0, 1 do
  for at = 2, 1 + slots do redis.call('ZREM', KEYS[3 * whose + 1], ARGV[at]) end
  for at = 2 + slots, #ARGV do unreserve(KEYS[3 * whose + 3], KEYS[3 * whose + 2], ARGV[at]) end
end
"""
)

# What the script that ends a run calls, once. Its `keys` are as above; `slot` may be ''.
SETTLE = (
    budget.LUA
    + CLOCK
    + """
local function settle(keys, slot, reservation, count)
  for whose = 0, 1 do
    local slots, reserved, tokens = keys[3 * whose + 1], keys[3 * whose + 2], keys[3 * whose + 3]
    if slot ~= '' then redis.call('ZREM', slots, slot) end
    unreserve(tokens, reserved, reservation)
    committed(tokens, reserved, now_ms)
    spend(tokens, count)
  end
end
"""
)

# What the scripts of a run's life hold of its caller's limits with, in the same step. `keys` are as above,
# and `member` is '' for a run that has no tokens reserved.
# fits: whether the run has its place still, or there is room for it; `allowed` are runs and tokens of both
# hold: takes the place, or renews it
# let_go: gives it back; one that has lapsed is no error
HOLD = (
    concurrency.LUA
    + budget.LUA
    + CLOCK
    + """
local function fits(keys, slot, member, allowed)
  for whose = 0, 1 do
    local slots, reserved, tokens = keys[3 * whose + 1], keys[3 * whose + 2], keys[3 * whose + 3]
    local runs = occupied(slots, now_ms)
    if not redis.call('ZSCORE', slots, slot) and runs + 1 > allowed[2 * whose + 1] then return false end
    local used, held = committed(tokens, reserved, now_ms)
    if member ~= '' and not redis.call('ZSCORE', reserved, member)
      and used + held + tokens_of(member) > allowed[2 * whose + 2] then return false end
  end
  return true
end

local function hold(keys, slot, member, lease)
  for whose = 0, 1 do
    if slot ~= '' then occupy(keys[3 * whose + 1], slot, now_ms, lease) end
    if member ~= '' then
      committed(keys[3 * whose + 3], keys[3 * whose + 2], now_ms)
      reserve(keys[3 * whose + 3], keys[3 * whose + 2], member, now_ms, lease)
    end
  end
end

local function let_go(keys, slot, member)
  for whose = 0, 1 do
    if slot ~= '' then redis.call('ZREM', keys[3 * whose + 1], slot) end
    if member ~= '' then unreserve(keys[3 * whose + 3], keys[3 * whose + 2], member) end
  end
end
"""
)

# Failed sign-ins of one address. KEYS: its rate. ARGV: interval, burst. Returns microseconds to wait.
CHARGE_ONE = (
    rate.LUA
    + CLOCK
    + """
local wait, charged = conforms(KEYS[1], now, tonumber(ARGV[1]), tonumber(ARGV[2]), 1)
if wait == 0 then charge(KEYS[1], now, charged) end
return wait
"""
)

# Takes one charge back. KEYS and ARGV as above.
GIVE_BACK = (
    rate.LUA
    + CLOCK
    + """
local arrival = tonumber(redis.call('GET', KEYS[1]) or 0) - tonumber(ARGV[1])
if arrival > now then charge(KEYS[1], now, arrival) else redis.call('DEL', KEYS[1]) end
"""
)
