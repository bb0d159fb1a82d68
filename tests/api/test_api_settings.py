"""Settings of the API by environment variables."""

import json
import subprocess
import sys

import pytest
from support.documented_settings import documented_settings
from support.serving import ROOT, environment, lines_of, running_api

from jobtracker.local.flower import FlowerSettings
from jobtracker.local.ports import free_port
from jobtracker.server.settings import ApiSettings
from jobtracker.settings import SettingsError
from workers.confined.budget import Budget
from workers.limits import DocumentSettings
from workers.running import RunSettings
from workers.tables.settings import TableSettings

pytestmark = [pytest.mark.thorough, pytest.mark.long]

AS_MODULE = ["api.main"]
AS_FACTORY = ["uvicorn", "api.main:create_app", "--factory", "--port", "0"]


def outcome(command: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    """What becomes of an API that is started with these settings."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_documented_variable_is_a_setting_of_the_api_of_flower_or_of_the_workers():
    workers = "".join(path.read_text() for path in (ROOT / "workers").rglob("*.py"))
    models = (ApiSettings, FlowerSettings, RunSettings, Budget, DocumentSettings, TableSettings)
    others = documented_settings().keys() - {name.upper() for model in models for name in model.model_fields}
    assert {name for name in others if f'"{name}"' not in workers} == set()


def test_every_setting_of_the_api_is_documented():
    assert {name.upper() for name in ApiSettings.model_fields} - documented_settings().keys() == set()


@pytest.mark.parametrize(
    "name",
    ["SERVICE_NAME", "DEBUG", "API_HOST", "API_PORT", "API_WORKERS", "REDIS_URL", "REDIS_DB", "MAX_REQUEST_BYTES"],
)
def test_the_defaults_are_the_documented_ones(name):
    default = getattr(ApiSettings.from_env({}), name.lower())
    assert documented_settings()[name] == (str(default).lower() if name == "DEBUG" else str(default))


@pytest.mark.parametrize("command", [AS_MODULE, AS_FACTORY], ids=["module", "factory"])
def test_bad_values_end_the_process_with_a_message_that_names_them(command):
    ended = outcome(command, api_port="nineteen", redis_db="-1", debug="perhaps")
    assert ended.returncode != 0
    for name in ("API_PORT", "REDIS_DB", "DEBUG"):
        assert name in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("name", ["Fährbüro", "two\nlines", " ", "ends with a space "])
def test_a_service_name_must_fit_a_header(name):
    with pytest.raises(SettingsError, match="SERVICE_NAME"):
        ApiSettings.from_env({"SERVICE_NAME": name})


def test_a_redis_url_that_is_none_ends_the_process_with_a_message_that_names_it():
    ended = outcome(AS_MODULE, redis_url="http://localhost:6379", api_host="127.0.0.1", api_port=str(free_port()))
    assert ended.returncode != 0
    assert "REDIS_URL" in ended.stderr


def test_a_taken_port_ends_the_process_with_one_line(redis_server):
    port = str(redis_server.port)
    ended = outcome(AS_MODULE, redis_url=redis_server.url, api_host="127.0.0.1", api_port=port)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"Port {port} on 127.0.0.1 is taken: stop what listens there, or choose another one by API_PORT.\n"
    )


@pytest.mark.parametrize(
    "command",
    [AS_MODULE, ["celery", "-A", "workers.app", "worker"], ["jobtracker.local.flower"]],
    ids=["api", "worker", "flower"],
)
def test_of_a_bad_setting_api_worker_and_flower_say_one_line(command):
    ended = outcome(command, redis_url="foo")
    assert ended.returncode == 1
    assert ended.stderr == (
        "Bad settings in the environment. REDIS_URL: must begin with redis://, rediss://, unix://, sentinel:// or redis+cluster://\n"
    )


@pytest.mark.parametrize(
    ("command", "used_for"),
    [
        (AS_MODULE, {"gcs_bucket_name": "our-bucket"}),
        (
            ["celery", "-A", "workers.app", "worker"],
            {"celery_result_backend": "gs://our-bucket/results", "gcp_project_id": "ours"},
        ),
    ],
    ids=["api objects", "worker results"],
)
def test_a_bucket_without_credentials_ends_api_and_worker_with_one_line(command, used_for, tmp_path):
    home = {"home": str(tmp_path), "no_gce_check": "true"}
    ended = outcome(command, api_host="127.0.0.1", api_port=str(free_port()), **used_for, **home)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "there are no credentials for Google Cloud" in line
    assert "Set GOOGLE_APPLICATION_CREDENTIALS" in line


def test_the_service_has_the_name_that_is_set(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, service_name="ledger", debug="true") as api:
        assert api.get("/api/health")["service"] == "ledger"
        assert api.http.get("/nowhere").headers["x-service-name"] == "ledger"
        assert api.get("/openapi.json")["info"]["title"] == "ledger"
        lines = [json.loads(line) for line in lines_of(api.process.log_path)]
        assert {line["service"] for line in lines} == {"ledger"}
        assert "DEBUG" in {line["level"] for line in lines}


def test_rabbitmq_without_a_redis_ends_the_api_with_one_line_that_says_what_to_set():
    others = {"CELERY_BROKER_URL": "amqp://guest@127.0.0.1:1//"}
    done = outcome(["jobtracker.server"], **others)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "REDIS_URL: must be set where CELERY_BROKER_URL is RabbitMQ's" in line


def test_where_no_redis_is_named_the_api_keeps_its_jobs_in_the_broker_and_logs_which(redis_server, tmp_path):
    broker = f"redis://:{'a-secret'}@{redis_server.url.removeprefix('redis://')}/14"
    with running_api(tmp_path, command=("jobtracker.server",), celery_broker_url=broker) as api:
        logged = [json.loads(line) for line in lines_of(api.process.log_path) if line.startswith("{")]
    [line] = [line for line in logged if line["message"] == "tracking_redis"]
    assert line["url"] == broker.replace("a-secret", "***")
