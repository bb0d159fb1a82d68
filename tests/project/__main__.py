"""`python -m project`: what `celery -A project.worker worker` runs.

Without Celery's umbrella command, which imports whatever other packages add to it (Flower, click-repl): that takes
longer than the start of a worker.
"""

from celery import maybe_patch_concurrency


def main() -> None:
    """Run a worker until it ends."""
    maybe_patch_concurrency()  # before anything else is imported, as in celery/__main__.py
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker

    from project.worker import app

    worker.main(obj=CLIContext(app=app, no_color=False, workdir=None, quiet=False))


if __name__ == "__main__":
    main()
