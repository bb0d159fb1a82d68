-- hold_pending: count jobs that somebody is about to create, or to give other payloads, unless that is too much.
--
-- KEYS[1]  the quota
-- ARGV     prefix, the most jobs (0: any number), the most bytes (0: any number), now (ms), how long the quota is kept (s),
--          pairs of a job's id and the bytes of its payload
-- Returns  {} where they are counted; {jobs, bytes} where there would be so many: then nothing is counted. What becomes less
--          is counted always
--- @include lib/quota
local quota, most_jobs, most_bytes, now, keep_s = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local size_of, ids = {}, {}
for n = 6, #ARGV, 2 do
  if not size_of[ARGV[n]] then ids[#ids + 1] = ARGV[n] end
  size_of[ARGV[n]] = tonumber(ARGV[n + 1])
end
local held, freed = held_of(quota, ids)
local new, more, entries = 0, -freed, {}
for n, id in ipairs(ids) do
  if not held[n] then new = new + 1 end
  more = more + size_of[id]
  entries[#entries + 1] = id
  entries[#entries + 1] = string.format('%d:', size_of[id]) .. now
end
local total = redis.call('HGET', quota, '')
local jobs = redis.call('HLEN', quota) - (total and 1 or 0) + new
local bytes = tonumber(total or 0) + more
local is_too_much = most_jobs > 0 and new > 0 and jobs > most_jobs or most_bytes > 0 and more > 0 and bytes > most_bytes
if is_too_much then return { jobs, bytes } end
count_held('HSET', quota, entries)
redis.call('HSET', quota, '', string.format('%d', bytes))
redis.call('EXPIRE', quota, keep_s)
return {}
