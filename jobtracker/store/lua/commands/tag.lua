-- tag: add tags to a job and take tags from it, for a bulk run.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, the bulk run, the caller ('': not known), most tags of a job, n, n tags to add, tags to take
-- Outcomes applied, missing, deleted, illegal (it would have too many tags)
--- @include lib/history
--- @include lib/record
local id, by, most, n = ARGV[2], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local rec = load_record(id)
if not rec then return missing_outcome(id) end
local gone, there, tags, before = {}, {}, {}, rec.tags
for i = 7 + n, #ARGV do gone[ARGV[i]] = true end
local function add(tag)
  if not gone[tag] and not there[tag] then there[tag], tags[#tags + 1] = true, tag end
end
for _, tag in ipairs(before and cjson.decode(before) or {}) do add(tag) end
local kept = #tags
for i = 7, 6 + n do add(ARGV[i]) end
if #tags > most and #tags > kept then return 'illegal' end
rec.tags = #tags > 0 and cjson.encode(tags) or nil
rec.bulk = ARGV[3]
if by ~= '' and rec.tags ~= before then note_update(rec, by, { 'tags' }) end
save_record(rec)
return 'applied'
