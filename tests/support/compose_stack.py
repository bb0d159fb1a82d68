"""A stack of docker-compose.yml on a real engine, with image, containers, networks, volumes and ports of its own.

The base images are what PYTHON_IMAGE, REDIS_IMAGE and the like say.
"""

import json
import os
import secrets
import subprocess
import time

import httpx

from jobtracker import Client
from jobtracker.local.ports import free_port
from jobtracker.server.settings import ApiSettings
from support.serving import ROOT

_KILLED = 128 + 9


class Stack:
    """A stack under a name of its own, driven by the Makefile as a user does."""

    def __init__(self) -> None:
        self.name = f"jobtracker-check-{secrets.token_hex(4)}"
        self.user = ("checker", secrets.token_hex(8))
        self.api_port, self.flower_port = free_port(), free_port()
        of_make = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS"}
        kept = {k: v for k, v in os.environ.items() if k not in of_make and k.lower() not in ApiSettings.model_fields}
        self.env = {
            **kept,
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_ENV_FILES": os.devnull,
            "COMPOSE_PROFILES": "flower",
            "JOBTRACKER_IMAGE": self.name,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self.api_port),
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self.flower_port),
            "FLOWER_BASIC_AUTH": ":".join(self.user),
        }
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.api_port}", timeout=20, trust_env=False)
        self.client = Client(str(self.http.base_url))
        self.began = 0.0

    def make(self, target: str, args: str = "", **env: str) -> str:
        """What a target of the Makefile prints; it must succeed."""
        return self.run("make", "--no-print-directory", target, f"ARGS={args}", **env)

    def compose(self, *args: str, **env: str) -> str:
        """What a command of Compose prints."""
        return self.run(*os.environ.get("COMPOSE", "docker compose").split(), *args, **env)

    def docker(self, *args: str) -> list[str]:
        """The words that a command of Docker prints."""
        return self.run("docker", *args).split()

    def containers(self, service: str | None = None) -> list[str]:
        """The ids of the containers that run, of one service or of all."""
        return self.compose("ps", "--quiet", *([service] if service else [])).split()

    def run(self, *argv: str, **env: str) -> str:
        """What a command prints."""
        done = subprocess.run(argv, cwd=ROOT, env={**self.env, **env}, text=True, capture_output=True, check=False)
        assert done.returncode == 0, (
            f"{argv} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def flower(self, path: str, user: tuple[str, str] | None = None) -> httpx.Response:
        """Flower's answer."""
        return httpx.get(f"http://127.0.0.1:{self.flower_port}{path}", auth=user, timeout=20, trust_env=False)

    def started(self) -> list[str]:
        """What has become of the containers since `began`, in its order, e.g. "start redis"."""
        service = '{{index .Actor.Attributes "com.docker.compose.service"}}'
        which = [f"label=com.docker.compose.project={self.name}", "event=start", "event=health_status"]
        filters = [word for each in which for word in ("--filter", each)]
        period = ["--since", f"{self.began:.9f}", "--until", f"{time.time():.9f}"]
        return self.run("docker", "events", *period, *filters, "--format", "{{.Action}} " + service).splitlines()

    def stop(self) -> None:
        """Stop all; the engine must not have had to kill anything."""
        self.make("stop")
        for container in self.compose("ps", "--all", "--quiet").split():
            facts = json.loads(self.run("docker", "inspect", container))[0]
            assert facts["State"]["ExitCode"] != _KILLED, facts["Name"]

    def remove(self) -> None:
        """Leave nothing behind."""
        self.http.close()
        self.client.close()
        self.make("clean")
        mine = f"label=com.docker.compose.project={self.name}"
        for name in (self.name, f"{self.name}-worker"):
            if images := set(self.docker("image", "ls", "--quiet", name)):
                self.docker("image", "rm", "--force", *images)
        for kind, all_of_them in (("container", ["--all"]), ("volume", []), ("network", [])):
            assert self.docker(kind, "ls", "--quiet", *all_of_them, "--filter", mine) == []
