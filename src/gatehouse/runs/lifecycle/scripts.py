"""The scripts of a run's life. Each checks who may do what it does, in the step that does it.

Where a run holds something of its caller's limits, the six keys of it (`gatehouse.limits.keys.Counted.runs`)
are the last KEYS. A client repeats a command whose reply was lost with the connection: what it has done it
may do again.
"""

from gatehouse.limits.scripts import ADMITTING, HOLD, SETTLE
from gatehouse.runs.lifecycle.control import LEAVE

# The record, its log, its lease, its thread and its Idempotency-Key. KEYS: run, log, lease, active, undone,
# thread or '', Idempotency-Key or ''. ARGV: id, seconds that it is known, owner, lease in ms, when to look
# after it, claim of the key, three that follow below, then the record's fields.
STORE = """
local function store()
  redis.call('HSET', KEYS[1], unpack(ARGV, 10))
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  redis.pcall('XADD', KEYS[2], 'MAXLEN', 0, '0-1', 'records', '')
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
  if KEYS[6] ~= '' then redis.call('SET', KEYS[6], ARGV[1], 'EX', ARGV[2]) end
  if KEYS[7] ~= '' then redis.call('SET', KEYS[7], ARGV[6], 'EX', ARGV[2]) end
end
"""

# A run whose place in the limits was taken before: all, or nothing where the start was undone before this
# came through. KEYS: as above, and what is held. ARGV: as above, with lease of the hold in ms, slot and
# reservation.
CREATE = (
    HOLD
    + STORE
    + """
if redis.call('EXISTS', KEYS[5]) == 1 then return 0 end
store()
if KEYS[8] then hold({unpack(KEYS, 8)}, ARGV[8], ARGV[9], tonumber(ARGV[7])) end
return 1
"""
)

# A request and the one run that it starts: charged, its place taken, and stored, in one step. KEYS: as above,
# then those of `admitted`. ARGV: as above, with the text of `admitted`, slot and reservation. Returns 0 where
# the start was undone before, else what `admitted` returns: with nothing counted to who asks again.
BEGIN = (
    ADMITTING
    + STORE
    + """
if redis.call('EXISTS', KEYS[5]) == 1 then return 0 end
if redis.call('GET', KEYS[3]) == ARGV[3] then return {0, 0, 0, 0, -1, -1, -1, 0, -1, -1, -1} end
local answer = admitted({unpack(KEYS, 8)}, ARGV[7], {ARGV[8], ARGV[9]})
if answer[1] == 0 then store() end
return answer
"""
)

# Takes back a start of which nobody can tell how far it came, and keeps what of it is still under way from
# taking effect. KEYS: undone, run, log, lease, active, thread or '', its queue, Idempotency-Key or '', and
# what is held. ARGV: id, seconds that `undone` is kept, slot, reservation.
UNDO = (
    HOLD
    + LEAVE
    + """
redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('ZREM', KEYS[5], ARGV[1])
if KEYS[6] ~= '' then leave(KEYS[6], KEYS[7], ARGV[1]) end
if KEYS[8] ~= '' then
  local claim = redis.call('GET', KEYS[8])
  if claim and string.sub(claim, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then redis.call('DEL', KEYS[8]) end
end
if KEYS[9] then let_go({unpack(KEYS, 9)}, ARGV[3], ARGV[4]) end
"""
)

# A replica says that it is well, and Redis with it. Where nobody has said so for long, Redis was frozen,
# full, read-only or gone, and leases have run out whose owners are alive: for the time of a lease these
# come first. KEYS: when somebody last was well, whether that was long ago. ARGV: milliseconds that are
# long, lease in ms. Returns Redis's time.
WELL = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('GET', KEYS[1]) or now)
if now - last > tonumber(ARGV[1]) then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
redis.call('SET', KEYS[1], string.format('%.0f', now))
return time
"""

# Refuses when the run has ended, another process holds it or Redis was not well; else the caller has the
# next attempt. One that asks again has it already. A run that is to be executed needs its place in the
# limits: -1 where that has lapsed and is taken. KEYS: run, lease, the two of WELL, and what is held. ARGV:
# owner, lease in ms, milliseconds that are long, then lease of the hold in ms, slot, reservation, and what
# is allowed.
TAKE = (
    HOLD
    + """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
local owner = redis.call('GET', KEYS[2])
if owner == ARGV[1] then return tonumber(redis.call('HGET', KEYS[1], 'attempt')) end
if owner then return 0 end
if redis.call('HGET', KEYS[1], 'free') ~= '1' then
  local last = tonumber(redis.call('GET', KEYS[3]) or now_ms)
  if now_ms - last > tonumber(ARGV[3]) or redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
end
if KEYS[5] then
  local keys, allowed = {unpack(KEYS, 5)}, {}
  for at = 7, 10 do allowed[at - 6] = tonumber(ARGV[at]) end
  if not fits(keys, ARGV[5], ARGV[6], allowed) then return -1 end
  hold(keys, ARGV[5], ARGV[6], tonumber(ARGV[4]))
end
redis.call('HDEL', KEYS[1], 'free')
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'attempt', 1)
"""
)

# The leases of many runs, in one step: a process has one heartbeat, however many runs it has. A lease that
# ran out but that nobody took is taken up again: its attempt is still the newest. KEYS: active, then run and
# lease of each. ARGV: owner, lease in ms, when to look after them, then id and attempt of each. Returns for
# each 0 when it is lost, 2 when it is to stop (the message that said so may not have come), 3 when its text
# is wanted, else 1.
RENEW = """
local answers = {}
for at = 1, (#KEYS - 1) / 2 do
  local run, lease, id, attempt = KEYS[2 * at], KEYS[2 * at + 1], ARGV[2 * at + 2], ARGV[2 * at + 3]
  local known = redis.call('HMGET', run, 'attempt', 'state', 'cancel', 'wanted')
  local owner = redis.call('GET', lease)
  if known[1] ~= attempt or known[2] ~= 'running' or (owner and owner ~= ARGV[1]) then
    answers[at] = 0
  else
    redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
    redis.call('ZADD', KEYS[1], ARGV[3], id)
    answers[at] = known[3] ~= '' and 2 or known[4] and 3 or 1
  end
end
return answers
"""

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[3], 'handovers', 1)
redis.call('HSET', KEYS[3], 'free', '1')
redis.call('ZADD', KEYS[2], 'XX', 0, ARGV[2])
return redis.call('DEL', KEYS[1])
"""

# An attempt that was taken from a process which is alive does not count as lost.
EXCUSE = """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
if redis.call('HGET', KEYS[1], 'attempt') == ARGV[1] then return 0 end
return redis.call('HINCRBY', KEYS[1], 'handovers', 1)
"""

# The thread has the question of a run that was asked late. KEYS: run. ARGV: attempt.
ASKED = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
return redis.call('HSET', KEYS[1], 'asks_late', '0')
"""

# A viewer has found a hole in the log: the text is to be saved, which its records no longer tell.
WANT_TEXT = """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
return redis.call('HSET', KEYS[1], 'wanted', '1')
"""

# The text is saved before the records that tell it go.
TRIM = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'text', ARGV[2], 'text_cursor', ARGV[3])
redis.call('HDEL', KEYS[1], 'wanted')
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4])
return 1
"""

# The last records, the outcome, the account, an answer that could not be stored yet, whose checkpoints are
# to be deleted, its turn in its thread, what it held of its caller's limits and the expiry in one step: no
# run is ended by halves. KEYS: run, lease, log, accounts, active, answers, leftovers, thread or '', its
# queue, Idempotency-Key or '', and what is held. ARGV: attempt, seconds to keep it, cursor and records of the
# end, id, account, slot, reservation, tokens used, answer or '', tenant of the checkpoints or '', and the
# fields.
FINISH = (
    SETTLE
    + LEAVE
    + """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[5], ARGV[5])
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 1 end
redis.call('XADD', KEYS[3], ARGV[3], 'records', ARGV[4])
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
if ARGV[10] ~= '' then redis.call('HSET', KEYS[6], ARGV[5], ARGV[10]) end
if ARGV[11] ~= '' then redis.call('HSET', KEYS[7], ARGV[5], ARGV[11]) end
redis.call('HSET', KEYS[1], unpack(ARGV, 12))
if KEYS[8] ~= '' then leave(KEYS[8], KEYS[9], ARGV[5]) end
if KEYS[11] then settle({unpack(KEYS, 11)}, ARGV[7], ARGV[8], ARGV[9]) end
redis.call('DEL', KEYS[2])
for _, at in ipairs({1, 3, 10}) do
  if KEYS[at] ~= '' then redis.call('EXPIRE', KEYS[at], ARGV[2]) end
end
return 1
"""
)

# An attempt ends with a wait: its last records, what its caller's limits held, and no lease. Returns 2 when
# the run is to stop instead. KEYS: run, lease, log, active, thread or '', Idempotency-Key or '', and what is
# held. ARGV: attempt, seconds to keep it, cursor and records of the end, id, slot, reservation, tokens used,
# and the fields.
WAIT = (
    SETTLE
    + """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'state') == 'waiting' then return 1 end
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
if redis.call('HGET', KEYS[1], 'cancel') ~= '' then return 2 end
redis.call('XADD', KEYS[3], ARGV[3], 'records', ARGV[4])
redis.call('HSET', KEYS[1], unpack(ARGV, 9))
redis.call('ZREM', KEYS[4], ARGV[5])
redis.call('DEL', KEYS[2])
for _, at in ipairs({1, 3, 5, 6}) do
  if KEYS[at] ~= '' then redis.call('EXPIRE', KEYS[at], ARGV[2]) end
end
if KEYS[7] then settle({unpack(KEYS, 7)}, ARGV[6], ARGV[7], ARGV[8]) end
return 1
"""
)

# A run that waited goes on with its next attempt, whoever takes it. Returns -1 when Redis has lost the run, 0
# while the attempt that is to wait has not ended, 2 when it goes on already or has ended. KEYS: run, log,
# active, thread or '', Idempotency-Key or ''. ARGV: id, the attempt that waited, seconds to know it, and the
# fields.
GO_ON = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return -1 end
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt'))
if state == 'running' and attempt <= tonumber(ARGV[2]) then return 0 end
if state ~= 'waiting' then return 2 end
redis.call('HSET', KEYS[1], 'state', 'running', 'free', '1', 'continues', attempt + 1, unpack(ARGV, 4))
redis.call('HINCRBY', KEYS[1], 'handovers', 1)
redis.call('ZADD', KEYS[3], 0, ARGV[1])
for _, at in ipairs({1, 2, 4, 5}) do
  if KEYS[at] ~= '' then redis.call('EXPIRE', KEYS[at], ARGV[3]) end
end
return 1
"""

# Redis has lost a run that waits, with all that it had. KEYS: run, log, thread or ''. ARGV: id, seconds to
# know it, and the fields. What was not lost after all stays.
RESTORE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.pcall('XADD', KEYS[2], 'MAXLEN', 0, '0-1', 'records', '')
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1], 'NX', 'EX', ARGV[2]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""
