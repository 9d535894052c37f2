"""Brokers of the torture's own, each a process on a port of its own that is killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from demo.processes import clean_environment, free_port
from host.queue.wakeups import IN
from tests.whole.rig import until

START_SECONDS = 120.0
WOKEN_SECONDS = 90.0
"""How long a worker may take to listen to a broker again that was away."""
TAKEN_SECONDS = 1.0
"""How long one that listens may take; RabbitMQ needs some of it to count what was put in."""
RABBITMQ = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/usr/sbin/rabbitmq-server"))
"""The first is Debian's own beneath a wrapper that changes to another person."""


class Broker(ABC):
    """A broker that keeps what it keeps in *folder*."""

    name = ""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.program = program
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    def _environment(self) -> dict[str, str]:
        return clean_environment()

    def start(self) -> None:
        """Start it. It answers some time later."""
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def wait(self) -> None:
        """Wait until it answers."""
        until(self.answers, f"{self.name} answering", START_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.kill()


class Redis(Broker):
    """A Redis that keeps nothing on the disk."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        rest = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder))
        return (self.program, "--port", str(self.port), *rest)


class Rabbitmq(Broker):
    """A RabbitMQ without plugins, and the server of names it needs, on three ports of their own."""

    name = "rabbitmq"

    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder, program)
        self._between, self._names = free_port(), free_port()
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").touch()
        command = ("epmd", "-address", "127.0.0.1", "-port", str(self._names))
        self._epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def _command(self) -> Sequence[str]:
        return (self.program,)

    def _environment(self) -> dict[str, str]:
        return {
            **super()._environment(),
            "HOME": str(self.folder),  # where Erlang keeps its cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._between),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_NODENAME": "torture@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RUNNING_UNDER_SYSTEMD": "true",  # no shell between the process that is killed and the broker
        }

    def close(self) -> None:
        super().close()
        self._epmd.kill()
        self._epmd.wait()


def of(kind: str, folder: Path) -> tuple[Broker | None, str]:
    """Return the broker of the lane of a database, which does not run yet, or none and why there is none."""
    if kind == "sqlite":
        return None, ""  # one process does all
    if not find_spec("dramatiq"):
        return None, "skipped: no broker, the extra distributed is not installed"
    if kind == "postgresql":
        redis = shutil.which("redis-server")
        return (Redis(folder, redis), "") if redis else (None, "skipped: no broker, Redis is not installed")
    here = next((str(path) for path in RABBITMQ if path.exists()), shutil.which("rabbitmq-server"))
    if here is None or shutil.which("epmd") is None:
        return None, "skipped: no broker, RabbitMQ is not installed"
    return Rabbitmq(folder, here), ""


def wakes(broker: Broker, installation: str) -> bool:
    """Tell whether a wake-up that is put into *broker* is taken by one of the desk's, within a time.

    :param installation: as the desk's queues are named.
    """
    from host.queue.dramatiq_broker import DramatiqBroker

    def taken() -> bool:
        try:
            with closing(DramatiqBroker(broker.url, installation, (IN,))) as client:
                before = client.waiting(IN)  # Redis counts what killed workers had taken, too
                client.publish(IN)
                time.sleep(TAKEN_SECONDS)
                return client.waiting(IN) <= before
        except Exception:  # noqa: BLE001 - each client has errors of its own
            return False

    try:
        return until(taken, "a worker being woken", WOKEN_SECONDS)
    except AssertionError:
        return False
