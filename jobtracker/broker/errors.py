"""Turns errors of brokers and their clients into errors of jobtracker."""

from collections.abc import Iterator
from contextlib import contextmanager

from amqp.exceptions import AMQPError
from celery.backends.asynchronous import E_RETRY_LIMIT_EXCEEDED
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobtracker.connection.write_rejection import write_rejection_of
from jobtracker.errors import BrokerUnavailableError


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn errors of brokers and their clients into ours.

    Raises:
        BrokerUnavailableError: The broker does not answer or rejects the call; or the result backend does not answer.
    """
    try:
        yield
    except (OperationalError, RedisConnectionError, RedisTimeoutError, OSError, ResponseError) as error:
        if rejection := write_rejection_of(error) or write_rejection_of(error.__cause__):
            raise BrokerUnavailableError(f"The broker takes no writes: {rejection}") from error
        if isinstance(error, ResponseError):
            raise
        raise BrokerUnavailableError(f"The broker does not answer: {error}") from error
    except RuntimeError as error:  # Celery subscribes to the result before it publishes
        if str(error) != E_RETRY_LIMIT_EXCEEDED:
            raise
        raise BrokerUnavailableError("Celery's result backend does not answer.") from error
    except AMQPError as error:
        raise BrokerUnavailableError(f"The broker refuses: {error}") from error
