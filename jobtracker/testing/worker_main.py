"""A worker process for tests: `celery worker` for an app that is pointed at the test's servers first."""

import os
import sys

from celery import maybe_patch_concurrency

if __name__ == "__main__":
    maybe_patch_concurrency(sys.argv)  # before anything else is imported: gevent needs it

    from jobtracker.settings import Settings
    from jobtracker.testing.apps import find_app, redirected
    from jobtracker.testing.workers import APP_VARIABLE, consuming_all

    app = find_app(os.environ[APP_VARIABLE])
    hostname, queues = (sys.argv[sys.argv.index(option) + 1] for option in ("-n", "-Q"))
    with redirected(app, Settings.from_env()), consuming_all(app, hostname, queues.split(",")):
        app.worker_main(["worker", *sys.argv[1:]])
