-- many.lua: call a verb for many jobs.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, verb, a JSON list with [KEYS, ARGV] of each call
-- Returns  the answers, in order
-- Where a call raises, those before it were made, and those behind it are not.
local verb, calls, answers = VERB[ARGV[2]], cjson.decode(ARGV[3]), {}
for i = 1, #calls do answers[i] = verb(calls[i][1], calls[i][2]) end
return answers
