-- fold_totals: enter series of hours that are over into the totals.
--
-- KEYS[1]  the names of the series that are not there yet
-- ARGV     prefix, most series, '1' also those of the hour under way
-- Returns  {how many were entered, how many are left that might be}
-- An hour is over by the server's clock. What is counted of it later goes into both.
--- @include lib/totals
local most, hour = tonumber(ARGV[2]), math.floor(tonumber(server_ms()) / 3600000)
local folded, left = 0, 0
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local of, job_type = name:match('^(%d+):(.*)$')
  if of and (ARGV[3] == '1' or tonumber(of) < hour) then
    if folded < most then
      totals.fold(name, totals.label_of(job_type))
      folded = folded + 1
    else
      left = left + 1
    end
  end
end
return { folded, left }
