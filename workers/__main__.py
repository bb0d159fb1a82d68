"""`python -m workers`: what `celery -A workers.app worker` runs, with the same options.

Without Celery's umbrella command, which imports whatever other packages add to it (Flower, click-repl): that takes
longer than the start of a worker.
"""

from celery import maybe_patch_concurrency


def main() -> None:
    """Run a worker until it ends."""
    maybe_patch_concurrency()  # before anything else is imported, as in celery/__main__.py
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker

    from workers.app import app

    context = CLIContext(app=app, no_color=None, workdir=None)
    worker.main(obj=context, prog_name="celery worker", auto_envvar_prefix="CELERY_WORKER")


if __name__ == "__main__":
    main()
