"""For whom what is below the server is done: the caller, and how much they may have pending."""

from typing import Any

from jobtracker.core.access import Principal, acting, admission
from jobtracker.store.quotas import Quotas


def act_as(app: Any, principal: Principal | None) -> None:
    """From now on this task, and the threads that it starts, work for somebody; None: for nobody.

    Args:
        app: The application, with `quotas` in its state.
        principal: For whom.
    """
    quotas: Quotas = app.state.quotas
    acting.set(principal)
    admission.set(quotas.of(principal.account, principal.name) if principal and quotas.is_limited else None)
