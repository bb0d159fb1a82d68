-- name_types: let types be counted under their own names, or not any more.
--
-- KEYS[1]  the types that are
-- ARGV     prefix, n, n types that are not to be, then types that are
-- Returns  how many have changed
--- @include lib/totals
local n, changed = tonumber(ARGV[2]), 0
for i = 3, 2 + n do changed = changed + totals.set_named(ARGV[i], false) end
for i = 3 + n, #ARGV do changed = changed + totals.set_named(ARGV[i], true) end
return changed
