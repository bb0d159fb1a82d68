-- notify_parent: tell a parent what became of one of its sub-jobs. Idempotent: repeat it as often as you like.
--
-- KEYS[1]  the parent's record
-- ARGV     prefix, parent, sub-job, the sub-job's run, its status, now (ms), how often it had left a terminal status
--          ('' where the store has one partition), then of sub-jobs in other partitions, as asked for, id, name, reason
-- Returns  {verdict, the grandparent or '', the parent's run, its status, ids that are asked for}
--          The run is another one than before where the verdict is due and Celery's chord may call the task too.
-- Verdicts unnamed  it is about to fail, and names sub-jobs whose records are elsewhere: call again with what they say
--          missing   there is no such parent, or the sub-job is not one of its
--          waiting   other sub-jobs are not settled, or Celery's chord calls the parent's task
--          halt      the first failure under fail_fast: cancel what is left
--          due       call the parent's task now; said once, and watched until that is confirmed
--          settled   the parent failed, was cancelled, or is open again: notify the grandparent
--- @include lib/parents
local notice = { sub = ARGV[3], record = load_other(ARGV[3]), run = tonumber(ARGV[4]), status = ARGV[5], at = tonumber(ARGV[6]),
  left = tonumber(ARGV[7]) or 0, has_partitions = ARGV[7] ~= '', named_elsewhere = {} }
for i = 8, #ARGV, 3 do notice.named_elsewhere[ARGV[i]] = { ARGV[i + 1], ARGV[i + 2] } end
return notify_parent(load_record(ARGV[2]), notice)
