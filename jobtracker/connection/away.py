"""A tracking Redis that does not answer, or refuses, as an error that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from jobtracker.connection.client import is_unreachable
from jobtracker.connection.write_rejection import in_words
from jobtracker.errors import JobTrackerError


class StoreAwayError(JobTrackerError):
    """The tracking Redis does not answer, or refuses."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise what the tracking Redis raises as an error of ours.

    Raises:
        StoreAwayError: The tracking Redis does not answer, or refuses.
    """
    try:
        yield
    except RedisError as error:
        if is_unreachable(error):
            why = f"does not answer: {str(error).rstrip('.')}. Is REDIS_URL the workers'?"
        else:
            why = f"does not do what it is asked: {in_words(error)}."
        raise StoreAwayError(f"The tracking Redis {why}") from error
