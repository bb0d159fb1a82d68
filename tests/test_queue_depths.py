"""How much waits at the broker."""

from jobtracker.inspection import Inspection


def test_what_waits_is_counted_under_a_key_prefix_and_at_any_priority(own_project):
    own_project.announce()
    for priority in (0, 6, 9):
        own_project.send("ok", priority=priority)
    [depth] = Inspection(own_project.tracking).queue_depths().queues
    assert (depth.queue, depth.messages, depth.consumer_count) == (own_project.queue, 3, None)


def test_who_asks_again_opens_no_connection(own_project):
    inspection = Inspection(own_project.tracking)
    inspection.queue_depths()

    def opened_meanwhile():
        opened = own_project.client.info("stats")["total_connections_received"]
        inspection.queue_depths()
        return own_project.client.info("stats")["total_connections_received"] - opened

    assert min(opened_meanwhile() for _ in range(5)) == 0  # others may connect just then
