-- unique: jobs of which there is one at a time. A job with a unique key has the lock of that key as long as its status is one of
-- those that its record names: "unique" is '<digest of the key> <statuses, with commas> <until when (ms), 0: always>'. The lock
-- holds the job's id, and lies in the job's partition (keys.py). A job that comes back to such a status and finds another one
-- in its place goes on, and is not unique any more.
--- @include lib/keys

-- The digest, and until when the lock holds, where a job with this status has it; else the digest alone.
local function claim_of(unique, status)
  local digest, statuses, ends = unique:match('^(%S+) (%S+) (%d+)$')
  if not (',' .. statuses .. ','):find(',' .. status .. ',', 1, true) then return digest, nil end
  if ends ~= '0' and tonumber(ends) <= tonumber(server_ms()) then return digest, nil end
  return digest, ends
end

-- Takes the lock for a job that is to have it; returns the other job that has it, or nil.
local function take_unique(unique, status, id, looks_only)
  local digest, ends = claim_of(unique, status)
  if not ends then return nil end
  local holder = redis.call('GET', key('unique', digest))
  if holder and holder ~= id then return holder end
  if looks_only then return nil end -- a lock of its own may be reserved only
  if ends == '0' then redis.call('SET', key('unique', digest), id)
  else redis.call('SET', key('unique', digest), id, 'PXAT', ends) end
  return nil
end

local function release_unique(unique, id)
  local digest = unique:match('^%S+')
  if redis.call('GET', key('unique', digest)) == id then redis.call('DEL', key('unique', digest)) end
end

-- A job has come to another status.
local function follow_unique(rec)
  local _, ends = claim_of(rec.unique, rec.status)
  if not ends then return release_unique(rec.unique, rec.id) end
  if take_unique(rec.unique, rec.status, rec.id) then rec.unique = nil end
end
