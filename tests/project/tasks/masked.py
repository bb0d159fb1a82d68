"""Tasks with arguments that are not for everybody."""

from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject
from pydantic import BaseModel, SecretStr

from jobtracker import tracked
from project.diary import SOON_S, diary, did


@shared_task(name="pay", bind=True)
@tracked("payment", mask={"card"})
def pay(self: Task, amount: Any = 0, card: Any = None, how: str = "return", **details: Any) -> Any:
    """Return the amount, or end in another way, with the card in what it says."""
    did("began")
    if how == "fail":
        raise ValueError(f"the card {card!r} is refused")
    if how == "reject":
        raise Reject(f"the card {card!r} is refused")
    if how == "refuse":
        raise ValueError("refused")
    if how == "retry" and not self.request.retries:
        raise self.retry(exc=ValueError(f"the card {card!r} is busy"), countdown=SOON_S)
    if how.startswith("gate"):
        for _ in diary().until_open(how):
            pass
    did("returned")
    return amount


@shared_task(name="pay_and_keep")
@tracked(mask={"card"}, store_arguments="full")
def pay_and_keep(amount: Any, card: Any = None) -> Any:
    """Fail; its arguments are stored, but for the card."""
    did("began")
    raise ValueError("as asked")


@shared_task(name="bill")
@tracked("bill", mask={"card"})
def bill(results: Any = None, card: Any = None, how: str = "return") -> Any:
    """Return the results of the sub-jobs."""
    did("began")
    if how == "fail":
        raise ValueError(f"the card {card!r} is refused")
    did("returned")
    return results


@shared_task(name="silent")
@tracked("silent", store_arguments="none")
def silent(note: str = "", fails: bool = False) -> None:
    """Say nothing."""
    did("began")
    if fails:
        raise ValueError(note)
    did("returned")


class Account(BaseModel):
    """Whom to log in."""

    user: str
    pin: SecretStr | None = None


@shared_task(name="login")
@tracked("login")
def login(account: Account, password: SecretStr | None = None) -> None:
    """Do nothing with either."""
    did("began")
    did("returned")
