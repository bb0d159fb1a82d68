"""Function libraries of a release that no process runs any more go by themselves."""

from jobtracker.connection.client import server_ms
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.store.functions import Library


def test_maintenance_removes_the_library_of_a_release_that_has_gone(own_project):
    client, keys = own_project.client, own_project.keys
    job_id = own_project.send("kept", 1)
    gone, alive = Library(["count_jobs", "get_history"]), Library(["count_jobs", "list_ids"])
    now_ms = server_ms(client, keys("libraries"))
    for library, silent_ms in ((gone, 200_000), (alive, 20_000)):
        library.load(client)
        client.zadd(keys("libraries"), {library.name: now_ms - silent_ms})
    try:
        runner = MaintenanceRunner(own_project.tracking)
        runner._libraries._names = runner._libraries._names - {gone.name, alive.name}
        runner.step()
        assert not client.function_list(gone.name)
        assert client.function_list(alive.name)
        assert own_project.job(job_id).id == job_id
        assert client.zscore(keys("libraries"), gone.name) is None
    finally:
        client.function_delete(alive.name)
