"""`python -m parity.worker`: a worker, without all that Celery's umbrella command imports."""

from celery import maybe_patch_concurrency

if __name__ == "__main__":
    maybe_patch_concurrency()
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker

    from parity.application import app

    worker.main(obj=CLIContext(app=app, no_color=False, workdir=None, quiet=False))
