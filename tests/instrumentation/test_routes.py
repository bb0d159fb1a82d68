"""The queue that a worker announces for a job type: the one that its app's routes lead to."""

import pytest
from celery import Celery
from kombu import Exchange, Queue

from jobtracker.broker.queues import queue_of_route

MEDIA, NEWS = Exchange("media", type="topic"), Exchange("news", type="direct")


@pytest.fixture
def app():
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.task_queues = [
        Queue("standard", Exchange("standard"), routing_key="standard"),
        Queue("videos", MEDIA, routing_key="media.video.#"),
        Queue("pictures", MEDIA, routing_key="media.*.picture"),
        Queue("headlines", NEWS, routing_key="headlines"),
        Queue("everything", Exchange("radio", type="fanout")),
    ]
    app.conf.task_default_queue = "standard"
    yield app
    app.close()


@pytest.mark.parametrize(
    ("route", "queue"),
    [
        (None, "standard"),
        ("videos", "videos"),
        ({"queue": "pictures"}, "pictures"),
        ({"queue": "not known yet"}, "not known yet"),
        ({"exchange": "media", "routing_key": "media.video.long"}, "videos"),
        ({"exchange": "media", "routing_key": "media.video"}, "videos"),
        ({"exchange": "media", "routing_key": "media.old.picture"}, "pictures"),
        ({"exchange": NEWS, "routing_key": "headlines"}, "headlines"),
        ({"exchange": "radio"}, "everything"),
    ],
)
def test_a_route_leads_to_a_queue(app, route, queue):
    app.conf.task_routes = {"task": route} if route else {}
    assert queue_of_route(app, "task") == queue
