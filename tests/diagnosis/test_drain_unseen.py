"""Draining workers that do not answer: what can't be seen is unknown, never safe."""

from support.sample_jobs import a_worker

from jobtracker.core.clock import now_ms
from jobtracker.diagnosis.drainer import Drainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.schemas.drains import DrainState


def test_a_worker_that_does_not_answer_is_unknown_and_its_queues_are_remembered(own_project):
    inspector = Inspector(own_project.tracking, timeout_s=0.2, cache_s=0)
    drainer = Drainer(own_project.tracking, inspector)
    described = {"name": "w@test", "queues": ["one", "two"], "started_at_ms": now_ms()}
    own_project.leases.renew(a_worker("first", **described))
    found = drainer.look("w@test")
    assert (found.state, found.queues, found.running) == (DrainState.CONSUMING, None, None)
    assert "it does not answer: it hangs" in found.summary
    found = drainer.drain("w@test")
    assert (found.state, found.queues_before, found.is_safe) == (DrainState.UNKNOWN, ["one", "two"], False)
    assert drainer.undo("w@test").queues_before == ["one", "two"]  # it has not said that it consumes again
    own_project.leases.renew(a_worker("second", **described))
    assert "another live worker has the same name" in drainer.drain("w@test").summary
