"""How much waits at the broker."""

from jobtracker.inspection import Inspection


def test_what_waits_is_counted_under_a_key_prefix_and_at_any_priority(own_project):
    own_project.announce()
    for priority in (0, 6, 9):
        own_project.send("ok", priority=priority)
    [depth] = Inspection(own_project.tracking).queue_depths().queues
    assert (depth.queue, depth.messages, depth.consumer_count) == (own_project.queue, 3, None)
