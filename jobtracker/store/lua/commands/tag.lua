-- tag: add tags to a job and take tags from it, for a bulk run.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, the bulk run, most tags of a job, n, n tags to add, tags to take
-- Outcomes applied, missing, deleted, illegal (it would have too many tags)
--- @include lib/record
local id, most, n = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local rec = load_record(id)
if not rec then return missing_outcome(id) end
local gone, there, tags = {}, {}, {}
for i = 6 + n, #ARGV do gone[ARGV[i]] = true end
local function add(tag)
  if not gone[tag] and not there[tag] then there[tag], tags[#tags + 1] = true, tag end
end
for _, tag in ipairs(rec.tags and cjson.decode(rec.tags) or {}) do add(tag) end
local before = #tags
for i = 6, 5 + n do add(ARGV[i]) end
if #tags > most and #tags > before then return 'illegal' end
rec.tags = #tags > 0 and cjson.encode(tags) or nil
rec.bulk = ARGV[3]
save_record(rec)
return 'applied'
