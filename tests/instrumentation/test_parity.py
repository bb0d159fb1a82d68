"""With the tracker attached a task is executed exactly as often as with Celery alone."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.servers import RabbitMQ

from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.settings import Settings

pytestmark = [pytest.mark.long, pytest.mark.thorough]
TESTS = Path(__file__).parents[1]
SEED = 11
LEASES = {"lease_renew_s": 0.5, "lease_lost_s": 2.0, "maintenance_interval_s": 0.5, "tracking_timeout_s": 5}


def start(folder: Path, redis: EmbeddedRedis, broker: str, pool: str, *, tracked: bool) -> subprocess.Popen[str]:
    """Start one side, in a process of its own: what is attached to one must not be near the other."""
    folder.mkdir()
    side = {
        "broker": broker,
        "backend": f"{redis.url}/2",
        "journal": str(folder / "journal"),
        "tracking": {"redis_url": redis.url, "celery_broker_url": broker, **LEASES} if tracked else None,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "parity", str(folder), pool, str(SEED)],
        cwd=TESTS.parent,
        env={
            **{name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields},
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
            "PARITY_SIDE": json.dumps(side),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome_of(side: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = side.communicate(timeout=200)
    assert side.returncode == 0, err[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found


# On each broker; and once each where what waits for a token, a slot or its time waits in the worker's own process.
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("broker", "pool"), [("redis", "prefork"), ("rabbitmq", "threads")])
def test_a_workload_runs_as_often_with_the_tracker_as_without_it(
    broker: str, pool: str, rabbitmq: RabbitMQ, tmp_path: Path
):
    with ExitStack() as endings:
        sides = {}
        for name in ("plain", "tracked"):
            redis = endings.enter_context(EmbeddedRedis(tmp_path / f"{name}-store", config={"appendfsync": "no"}))
            url = f"{redis.url}/1" if broker == "redis" else rabbitmq.new_url()
            side = start(tmp_path / name, redis, url, pool, tracked=name == "tracked")
            endings.callback(side.kill)
            sides[name] = side
        plain, tracked = (outcome_of(side) for side in sides.values())
    assert plain["executions"] == plain["expected"]
    assert tracked["executions"] == plain["executions"]
    assert tracked["states"] == plain["states"]
    assert tracked["results"] == plain["results"]
    ends = {"SUCCESS": "completed", "FAILURE": "failed"}
    assert tracked["statuses"] == {key: ends.get(state, "cancelled") for key, state in plain["states"].items()}
