"""The API's own health."""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Response

from jobtracker.core.access import acting
from jobtracker.core.version import package_version
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.timely_checks import Check, TimelyChecks
from jobtracker.logging import request_id_var
from jobtracker.schemas.health import Component, Health
from jobtracker.server.access.needs import open_to_all
from jobtracker.server.dependencies import UseInspector, UseSettings
from jobtracker.server.problems import TO_EXPECT
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(route_class=ThreadRoute, tags=["health"], responses=TO_EXPECT)


LIMIT_S = 1.5
"""Load balancers and container health checks wait for few seconds."""

_checks: "WeakKeyDictionary[Inspector, TimelyChecks]" = WeakKeyDictionary()
"""Those of each application in this process."""


def health_of(
    service: str, inspector: Inspector, checks: Mapping[str, Check], response: Response, *, limit_s: float = LIMIT_S
) -> Health:
    """Check the parts at the same time. Sets the response's status to 503 if one is not healthy.

    Args:
        service: Its name.
        inspector: Of the application.
        checks: By the names of the parts.
        response: The response.
        limit_s: A part that takes longer is not healthy.
    """
    components = _checks.setdefault(inspector, TimelyChecks()).run(checks, limit_s)
    healthy = all(component.healthy for component in components.values())
    if not healthy:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Health(
        status="healthy" if healthy else "unhealthy",
        service=service,
        version=package_version(),
        request_id=request_id_var.get(),
        components=components,
    )


@router.get(
    "/api/health", responses={503: {"model": Health, "description": "Not healthy."}}, dependencies=[open_to_all()]
)
def health(settings: UseSettings, inspector: UseInspector, response: Response) -> Health:
    """Whether the API itself works, for load balancers and container health checks; 503 if it does not.

    Redis and the broker answer and accept writes, and `TRACKING_PARTITIONS` is the store's. The answer comes within
    two seconds. Whether workers do the jobs is at `/api/tracking/health`. It asks for no key, and without one the
    answer has no details.
    """
    check = HealthCheck(inspector)
    checks = {"redis": check.redis, "broker": check.broker}
    found = health_of(settings.service_name, inspector, checks, response)
    if acting.get() is None:
        parts = {name: Component(healthy=each.healthy) for name, each in found.components.items()}
        return found.model_copy(update={"components": parts})
    return found
