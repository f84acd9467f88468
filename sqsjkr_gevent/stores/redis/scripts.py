"""The steps of locks and jobs: Lua scripts, each over one key.

Their first argument is "1" if they are run again because the answer to the first try was lost.
Their answers begin with TAKEN, FREE or HELD.

Once a script has written, Redis lets it go on writing even if its memory is full. So a script that
ends or keeps something first makes a write that needs no memory, and one that takes something first
makes a write that a full Redis refuses: only what is new is refused.
"""

#: The caller has it, or has done what it asked for.
TAKEN = 1
#: Nobody has it.
FREE = 2
#: Somebody else has it.
HELD = 0

#: The hash of a lock. Arguments: owner, event id, lease, locked_at, free_in ("": none), and the
#: owner and version that may be taken over. Answers TAKEN and the token, or HELD and its holder.
#: The token is the clock of Redis if that is ahead. So even after Redis lost its last writes, it is
#: higher than all before it. An owner that has the lock already gets the same token.
ACQUIRE = """
local owner, event, lease, at, free_in = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local held = redis.call('HMGET', KEYS[1], 'owner', 'version', 'lease', 'free_in', 'token')
local version, token = 1, held[5]
if held[1] == owner then
    version = held[2] + 1
else
    if held[1] and not (held[1] == ARGV[7] and held[2] == ARGV[8]) then
        return {0, held[1], held[2], held[3], held[4]}
    end
    local now = redis.call('TIME')
    local clock = now[1] * 1000 + math.floor(now[2] / 1000)
    token = string.format('%.0f', math.max((token or 0) + 1, clock))
end
redis.call('HSET', KEYS[1], 'owner', owner, 'event_id', event, 'version', version,
    'lease', lease, 'locked_at', at, 'token', token)
if free_in == '' then
    redis.call('HDEL', KEYS[1], 'free_in')
else
    redis.call('HSET', KEYS[1], 'free_in', free_in)
end
redis.call('PERSIST', KEYS[1])
return {1, token}
"""

#: The hash of a lock. Arguments: owner. Answers TAKEN or HELD.
RENEW = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then return {0} end
redis.call('PERSIST', KEYS[1])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {1}
"""

#: The hash of a lock. Arguments: owner, version ("": any), milliseconds to keep its token.
#: Answers TAKEN if it was freed, FREE, or HELD.
RELEASE = """
local held = redis.call('HMGET', KEYS[1], 'owner', 'version')
if not held[1] then
    if ARGV[1] == '1' then return {1} end
    return {2}
end
if held[1] ~= ARGV[2] or (ARGV[3] ~= '' and held[2] ~= ARGV[3]) then return {0} end
redis.call('HDEL', KEYS[1], 'owner', 'event_id', 'version', 'lease', 'locked_at', 'free_in')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {1}
"""

#: The hash of a job. Arguments: owner, lease, milliseconds to keep it, and the owner and version
#: that may be taken over. Answers TAKEN; HELD and the owner, version and lease; HELD alone if
#: the job is done.
CLAIM = """
local held = redis.call('HMGET', KEYS[1], 'owner', 'version', 'lease', 'status')
local version = 1
if held[4] == 'done' then return {0} end
if held[1] == ARGV[2] then
    version = held[2] + 1
elseif held[1] and not (held[1] == ARGV[5] and held[2] == ARGV[6]) then
    return {0, held[1], held[2], held[3]}
end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'version', version, 'lease', ARGV[3],
    'status', 'running')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {1}
"""

#: The hash of a job. Arguments: owner, milliseconds to keep it. Answers TAKEN or HELD.
RENEW_CLAIM = """
local held = redis.call('HMGET', KEYS[1], 'owner', 'status')
if held[1] ~= ARGV[2] or held[2] ~= 'running' then return {0} end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {1}
"""

#: The hash of a job. Arguments: owner, milliseconds to keep it. Answers TAKEN or HELD. A job that
#: Redis no longer knows was run all the same.
DONE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[2] then return {0} end
redis.call('HDEL', KEYS[1], 'version', 'lease')
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'status', 'done')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1}
"""

#: The hash of a job. Arguments: owner, version ("": any). Answers TAKEN if it is forgotten,
#: FREE or HELD.
FORGET = """
local held = redis.call('HMGET', KEYS[1], 'owner', 'version')
if not held[1] then
    if ARGV[1] == '1' then return {1} end
    return {2}
end
if held[1] ~= ARGV[2] or (ARGV[3] ~= '' and held[2] ~= ARGV[3]) then return {0} end
redis.call('DEL', KEYS[1])
return {1}
"""

#: A key that nobody uses. Fails if Redis takes no writes; leaves nothing changed.
TRY = """
redis.call('HSET', KEYS[1], 'tried', '1')
redis.call('DEL', KEYS[1])
return {1}
"""
