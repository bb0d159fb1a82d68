"""The API's own health."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Response

from jobtracker.core.version import package_version
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.logging import request_id_var
from jobtracker.schemas.health import Component, Health
from jobtracker.server.dependencies import UseInspector, UseSettings
from jobtracker.server.problems import TO_EXPECT
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(route_class=ThreadRoute, tags=["health"], responses=TO_EXPECT)


def health_of(service: str, checks: Mapping[str, Callable[[], Component]], response: Response) -> Health:
    """Check the parts at the same time. Sets the response's status to 503 if one is not healthy."""
    with ThreadPoolExecutor(len(checks)) as threads:
        components = dict(zip(checks, threads.map(lambda check: check(), checks.values()), strict=True))
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


@router.get("/api/health", responses={503: {"model": Health, "description": "Not healthy."}})
def health(settings: UseSettings, inspector: UseInspector, response: Response) -> Health:
    """Whether the API itself works, for load balancers and container health checks; 503 if it does not.

    Redis and the broker answer and accept writes, and `TRACKING_PARTITIONS` is the store's. Whether workers do the
    jobs is at `/api/tracking/health`.
    """
    check = HealthCheck(inspector)
    checks = {"redis": check.redis, "broker": check.broker}
    return health_of(settings.service_name, checks, response)
