"""Chains that go on: a link gets the result of the job before it, and what follows it runs, as Celery's own would."""

import contextlib
import threading

import pytest
from celery import chain, chord, group
from support.workers_under_test import eventually

from jobtracker import Status
from jobtracker.errors import ArgumentsUnavailableError, IllegalTransitionError, ResultUnavailableError
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]


@pytest.fixture
def gate(project, request):
    """The name of a gate that no other test has."""
    return f"{project.name}-{request.node.name}"


@pytest.fixture
def sig(project):
    return project.signature


def ids_of(result):
    """The ids of a chain's jobs, in order."""
    ids = []
    while result is not None:
        ids.insert(0, result.id)
        result = result.parent
    return ids


def broken(project, sig, gate):
    """The issue's chain, whose second task has failed: its jobs' ids."""
    result = chain(sig("fetch", "doc"), sig("resize", 50, gate), sig("keep", "thumbs")).apply_async()
    ids = ids_of(result)
    stopped(project, *ids[1:], before=ids[:1])
    return ids


def stopped(project, failed, *after, before=()):
    """Wait until a job has failed, what follows it in its chain is cancelled, and what was before it has completed.

    A worker sends the next task of a chain first, and tells of the end of this one then.
    """
    for each in before:
        project.expect_status(each, Status.COMPLETED)
    project.expect_status(failed, Status.FAILED)
    for each in after:
        project.expect_status(each, Status.CANCELLED)


def test_a_chain_goes_on_from_the_job_that_has_failed(project, sig, gate):
    first, second, last = broken(project, sig, gate)
    with pytest.raises(IllegalTransitionError, match=f"the job before it in its chain, {second}, did not complete"):
        project.jobs.retry(last)
    assert (project.job(last).run, project.did(last)) == (1, [])
    project.diary.open_gate(gate)
    assert project.jobs.retry(second) == second
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run) == ("thumbs:doc.pdf@50", 2)
    assert project.expect(second, Status.COMPLETED, "SUCCESS", RAN).result == "doc.pdf@50"
    assert project.expect(first, Status.COMPLETED, "SUCCESS", RAN).run == 1
    assert [project.did(each) for each in (second, last)] == [["began"], []]


def test_a_chain_goes_on_from_any_of_its_jobs_where_that_is_asked_for(project, sig, gate):
    _, second, last = broken(project, sig, gate)
    assert project.jobs.retry(last, from_failed=True) == second
    project.expect_did(second, "began", run=2)
    stopped(project, second, last)
    project.diary.open_gate(gate)
    assert project.jobs.retry(last, from_failed=True) == second
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run) == ("thumbs:doc.pdf@50", 3)


def test_of_several_retries_of_a_chain_at_once_one_wins(project, sig, gate):
    _, second, last = broken(project, sig, gate)
    project.diary.open_gate(gate)
    start, retried = threading.Barrier(4), []

    def retry(job_id):
        start.wait()
        with contextlib.suppress(IllegalTransitionError):
            retried.append(project.jobs.retry(job_id, from_failed=True))

    threads = [threading.Thread(target=retry, args=[each]) for each in (second, last, second, last)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert retried == [second]
    assert project.expect(last, Status.COMPLETED, "SUCCESS", RAN).run == 2
    assert project.expect(second, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_what_waits_for_the_job_before_it_says_so_and_is_not_retried_twice(project, sig, gate):
    held = f"{gate} held"
    result = chain(sig("mended_and_kept", gate, held), sig("hold"), sig("kept")).apply_async()
    first, second, last = ids_of(result)
    stopped(project, first, second, last)
    project.diary.open_gate(gate)
    project.jobs.retry(first)
    project.expect(second, Status.RUNNING, "STARTED", ["began"])
    for from_failed in (False, True):
        with pytest.raises(IllegalTransitionError, match=f"it waits for the job before it in its chain, {second}"):
            project.jobs.retry(last, from_failed=from_failed)
    project.diary.open_gate(held)
    project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert [project.job(each).run for each in (first, second, last)] == [2, 2, 2]


def test_a_link_that_was_sent_gets_what_it_had_got_and_the_rest_runs(project, sig, gate):
    result = chain(
        sig("fetch", "doc"), sig("keep", "in"), sig("resize", 50, gate), sig("keep", "thumbs")
    ).apply_async()
    *before, third, last = ids_of(result)
    stopped(project, third, last, before=before)
    assert project.job(third).args == ["in:doc.pdf", 50, gate]
    project.diary.open_gate(gate)
    project.jobs.retry(third)
    assert project.expect(last, Status.COMPLETED, "SUCCESS", RAN).result == "thumbs:in:doc.pdf@50"


def test_an_immutable_link_gets_no_result(project, sig, gate):
    task = project.app.tasks
    result = chain(task["mended_and_kept"].si(gate, 1), task["kept"].si(2), task["collect"].s("all")).apply_async()
    first, second, last = ids_of(result)
    stopped(project, first, second, last)
    project.diary.open_gate(gate)
    project.jobs.retry(first)
    assert project.expect(last, Status.COMPLETED, "SUCCESS", RAN).result == {"label": "all", "results": 2}
    assert project.job(second).args == [2]


def test_a_chain_in_a_group_goes_on(project, sig, gate):
    broken_one = chain(sig("mended_and_kept", gate, 1), sig("collect", "end"))
    result = group([broken_one, sig("ok", 2)], app=project.app).apply_async()
    last = result.children[0].id
    first = project.job(last).sent_by
    stopped(project, first, last)
    project.diary.open_gate(gate)
    project.jobs.retry(first)
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.group_id) == ({"label": "end", "results": 1}, result.id)


def test_a_group_at_the_end_of_a_chain_is_sent_anew(project, sig, gate):
    steps = [sig("mended_and_kept", gate, 1), group([sig("collect", "a"), sig("collect", "b")], app=project.app)]
    first = chain(*steps).apply_async().parent.id
    stopped(project, first)
    project.diary.open_gate(gate)
    project.jobs.retry(first)
    project.expect_status(first, Status.COMPLETED)
    sent = eventually_sent(project, first, 2)
    project.expect_settled(*(each.id for each in sent))
    assert sorted(project.job(each.id).result["label"] for each in sent) == ["a", "b"]
    assert {project.job(each.id).result["results"] for each in sent} == {1}


def eventually_sent(project, job_id, number):
    """The jobs that a job has sent, once there are so many."""
    found = []

    def all_sent():
        found[:] = project.queries.page(JobFilter(sent_by=job_id)).jobs
        return len(found) >= number

    eventually(all_sent)
    return found


def test_a_chain_in_a_header_goes_on_and_the_body_gets_its_results(project, sig, gate):
    """By a retry of the parent; by that of the job that has failed, while the parent waits for another sub-job."""
    parent = project.chord(
        [chain(sig("mended_and_kept", gate, 1), sig("collect", "end")), sig("kept", 2)], sig("collect")
    )
    project.expect_status(parent, Status.FAILED)
    last, other = project.subs(parent)
    first = project.job(last).sent_by
    stopped(project, first, last)
    with pytest.raises(IllegalTransitionError, match=f"its parent {parent} has ended too"):
        project.jobs.retry(first)
    project.diary.open_gate(gate)
    project.jobs.retry(parent)
    done = project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == [{"label": "end", "results": 1}, 2]
    assert [project.job(each).run for each in (first, last, other, parent)] == [2, 2, 1, 2]


def test_a_chain_in_the_header_of_a_chord_goes_on_while_the_chord_waits(project, sig, gate):
    held = f"{gate} held"
    header = [chain(sig("mended_and_kept", gate, 1), sig("collect", "end")), sig("hold", held, 2)]
    parent = project.chord(header, sig("collect"))
    last, _ = project.subs(parent)
    first = project.job(last).sent_by
    stopped(project, first, last)
    project.diary.open_gate(gate)
    assert project.jobs.retry(last, from_failed=True) == first
    project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    project.diary.open_gate(held)
    done = project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run) == ([{"label": "end", "results": 1}, 2], 1)


def test_a_chain_of_chords_goes_on_from_its_first_job(project, sig, gate):
    """The headers are not recorded yet, and are sent all the same."""
    two = [chord([sig("collect", "a"), sig("collect", "b")], sig("collect", name), app=project.app) for name in "xy"]
    result = chain(sig("mended_and_kept", gate, 1), *two, sig("collect", "end")).apply_async()
    last = result.id
    y = project.job(last).sent_by
    x = project.job(y).sent_by
    first = project.job(x).sent_by
    stopped(project, first, x, y, last)
    project.diary.open_gate(gate)
    project.jobs.retry(first)
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    in_x = {"label": "x", "results": [{"label": "a", "results": 1}, {"label": "b", "results": 1}]}
    in_y = {"label": "y", "results": [{"label": "a", "results": in_x}, {"label": "b", "results": in_x}]}
    assert done.result == {"label": "end", "results": in_y}
    assert [project.job(each).run for each in (first, x, y, last)] == [2, 2, 2, 2]
    assert [project.job(each).sub_job_counts.completed for each in (x, y)] == [2, 2]


def test_a_chain_goes_on_behind_a_chord_of_which_a_sub_job_has_failed(project, sig, gate):
    middle = chord([sig("keep", "a"), sig("resize", 50, gate)], sig("collect", "x"), app=project.app)
    result = chain(sig("fetch", "doc"), middle, sig("collect", "y"), sig("collect", "end")).apply_async()
    last = result.id
    y = project.job(last).sent_by
    x = project.job(y).sent_by
    stopped(project, x, y, last, before=[ids_of(result)[0]])
    project.diary.open_gate(gate)
    assert project.jobs.retry(last, from_failed=True) == x
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    inner = {"label": "x", "results": ["a:doc.pdf", "doc.pdf@50"]}
    assert done.result == {"label": "end", "results": {"label": "y", "results": inner}}


def test_a_chord_in_a_chain_in_a_chord_in_a_chain_goes_on(project, sig, gate):
    def labelled(name):
        return sig("collect", name)

    innermost = chain(sig("mended_and_kept", gate, 1), labelled("a"))
    inner = chord([innermost, sig("kept", 2)], labelled("b"), app=project.app)
    outer = chord([chain(inner, labelled("c")), sig("kept", 3)], labelled("d"), app=project.app)
    result = chain(outer, labelled("e"), labelled("f")).apply_async()
    last = result.id
    e = project.job(last).sent_by
    d = project.job(e).sent_by
    stopped(project, d, e, last)
    c, _ = project.subs(d)
    b = project.job(c).sent_by
    a, _ = project.subs(b)
    first = project.job(a).sent_by
    stopped(project, first, a)
    stopped(project, b, c)
    project.diary.open_gate(gate)
    assert project.jobs.retry(last, from_failed=True) == d
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    expected = 1
    for name, other in (("a", 2), ("b", None), ("c", 3), ("d", None), ("e", None), ("f", None)):
        expected = {"label": name, "results": expected}
        expected = [expected, other] if other else expected
    assert done.result == expected
    assert {project.job(each).run for each in (first, a, b, c, d, e, last)} == {2}


def test_a_chain_behind_the_body_of_a_chord_goes_on(project, sig, gate):
    body = chain(sig("collect", "x"), sig("resize", 50, gate), sig("keep", "thumbs"))
    last = project.chord([sig("ok", 1), sig("ok", 2)], body)
    eventually(lambda: project.queries.field(last, JobRecord.sent_by))
    second = project.job(last).sent_by
    stopped(project, second, last, before=[project.job(second).sent_by])
    project.diary.open_gate(gate)
    project.jobs.retry(second)
    done = project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == "thumbs:{'label': 'x', 'results': [1, 2]}@50"


def test_what_a_job_calls_at_its_end_is_called_after_a_retry_too(project, sig, gate):
    link, errback = (f"{gate}-{name}" for name in ("link", "errback"))
    linked = {"link": sig("collect", "linked").set(task_id=link), "time_limit": 77, "headers": {"tenant": "acme"}}
    linked["link_error"] = project.app.tasks["note"].s().set(task_id=errback)
    job_id = project.app.tasks["mended_and_kept"].apply_async((gate, 1), **linked)
    stopped(project, job_id.id)
    project.expect_status(errback, Status.COMPLETED)
    project.diary.open_gate(gate)
    project.jobs.retry(job_id.id)
    project.expect_status(job_id.id, Status.COMPLETED)
    done = project.expect(link, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == {"label": "linked", "results": 1}


def test_a_job_whose_links_are_not_stored_is_not_retried_without_them(project, sig, gate):
    job_id = sig("mended_and_kept", gate).set(link=sig("add", 1)).apply_async().id
    stopped(project, job_id)
    with pytest.raises(ArgumentsUnavailableError, match="link_error"):
        project.jobs.retry(job_id)
    assert project.job(job_id).run == 1


def test_what_follows_is_named_where_it_is_not_stored(project, sig, gate):
    result = chain(sig("mended_and_kept", gate, 1), sig("add", 1), sig("collect", "end")).apply_async()
    first, second, last = ids_of(result)
    stopped(project, first, second, last)
    with pytest.raises(ArgumentsUnavailableError, match=f"{second} .declare its task add "):
        project.jobs.retry(last, from_failed=True)
    untracked_end = chain(sig("mended_and_kept", gate, 1), group([sig("add", 1), sig("add", 2)], app=project.app))
    alone = untracked_end.apply_async().parent.id
    stopped(project, alone)
    with pytest.raises(ArgumentsUnavailableError, match="what follows it in its chain is not stored"):
        project.jobs.retry(alone)
    assert [project.job(each).run for each in (first, second, last, alone)] == [1, 1, 1, 1]


def test_the_result_of_the_job_before_may_come_from_celerys_backend(project, sig, gate):
    """The second job was cancelled while it waited, so it was never sent."""
    for is_there in (True, False):
        held, large = f"{gate} {is_there}", "x" * 70_000
        result = chain(sig("hold", held, large), sig("resize", 50), sig("keep", "thumbs")).apply_async()
        first, second, last = ids_of(result)
        project.expect_did(first, "began")
        project.jobs.cancel(second)
        project.expect_status(last, Status.CANCELLED)
        project.diary.open_gate(held)
        assert project.expect_status(first, Status.COMPLETED).result_omitted_bytes > 70_000
        if is_there:
            project.jobs.retry(second)
            project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
            assert project.app.AsyncResult(f"{last}~2").result == f"thumbs:{large}@50"
            continue
        project.app.AsyncResult(first).forget()
        with pytest.raises(ResultUnavailableError, match=first):
            project.jobs.retry(second)
        assert project.job(second).run == 1


def four_links(project, sig, first, gate):
    """Send a chain whose second task fails until a gate is open, and wait until it has; its jobs' ids."""
    ids = [first, *(f"{gate}-{n}" for n in range(3))]
    links = (sig("kept", 1), sig("mended_and_kept", gate), sig("kept", 3), sig("kept", 4))
    chain(*(link.set(task_id=each, immutable=True) for link, each in zip(links, ids, strict=True))).apply_async()
    return ids


def expect_to_go_on(project, ids, gate):
    """Retry the second job of a chain that has failed: it goes on to its end."""
    stopped(project, *ids[1:], before=ids[:1])
    assert [record.next for record in project.queries.records(ids)] == [*ids[1:], None]
    project.diary.open_gate(gate)
    project.jobs.retry(ids[1])
    project.expect_settled(*ids)
    assert {project.job(each).status for each in ids} == {Status.COMPLETED}


def test_a_chain_that_told_nobody_when_it_was_sent_goes_on(own_project, gate):
    own_project.tracker.detach()
    ids = four_links(own_project, own_project.signature, f"{gate}-first", gate)
    own_project.tracker.attach()
    with own_project.worker():
        expect_to_go_on(own_project, ids, gate)


def test_a_chain_goes_on_whose_later_tasks_were_sent_for_another_one_before(project, sig, gate):
    stopped(project, *four_links(project, sig, f"{gate}-first", gate)[1:])
    expect_to_go_on(project, four_links(project, sig, f"{gate}-again", gate), gate)
