-- batch: call a command for many jobs. It alone calls another one: the one that its caller names.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, command, packed: a list with [KEYS, ARGV] of each call
-- Returns  the answers, in order
-- Where a call raises, those before it were made, and those behind it are not.
local command, calls, answers = COMMANDS[ARGV[2]], cmsgpack.unpack(ARGV[3]), {}
for i = 1, #calls do answers[i] = command(calls[i][1], calls[i][2]) end
return answers
