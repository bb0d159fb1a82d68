-- append_audit: begin or end an entry of the audit.
--
-- KEYS[1]  the audit
-- ARGV     prefix, how long entries are kept (ms), the most entries, the id of the entry that ends ('': a new one), what is
--          known at its beginning (JSON), how it ended (JSON; '': not yet)
-- Returns  the entry's id; '' where an entry that ends is not there any more
-- Entries that are too old go, a few with each new one. So do the oldest where there are too many; up to when is noted then.
--- @include lib/keys
local keep_ms, most, id, begun, ended = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local AT_ONCE = 20

local function ms_of(entry_id) return tonumber(entry_id:match('^%d+')) end

local function trim(now_ms)
  local too_many = redis.call('XLEN', key('audit')) - most
  local oldest = redis.call('XRANGE', key('audit'), '-', '+', 'COUNT', 1)[1]
  if not oldest or (too_many <= 0 and ms_of(oldest[1]) >= now_ms - keep_ms) then return end
  local found = redis.call('XRANGE', key('audit'), '-', '+', 'COUNT', AT_ONCE)
  for n = 1, #found do
    local at_ms = ms_of(found[n][1])
    local is_too_old = at_ms < now_ms - keep_ms
    if not is_too_old and n > too_many then return end
    redis.call('XDEL', key('audit'), found[n][1])
    redis.call('HDEL', key('audit_ends'), found[n][1])
    if not is_too_old then redis.call('SET', key('audit_cut'), string.format('%d', at_ms), 'PX', ARGV[2]) end
  end
end

if id ~= '' then
  if #redis.call('XRANGE', key('audit'), id, id) == 0 then return '' end
else
  id = redis.call('XADD', key('audit'), '*', 'begun', begun)
  trim(ms_of(id))
end
if ended ~= '' then redis.call('HSET', key('audit_ends'), id, ended) end
return id
