"""Which alert each fault sets off, and a Prometheus for which a minute is less than a second."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from demo.processes import CHECKOUT, free_port
from tests.whole.rig import until

RULES = CHECKOUT / "deploy" / "alerts.yaml"
GONE = "while nobody starts it again; what a supervisor starts at once is over before it fires"

ALERTS: Mapping[str, tuple[str, str]] = {
    "kill web": ("LobbyDown", GONE),
    "kill web at a 200": ("LobbyDown", GONE),
    "kill web while starting": ("LobbyDown", GONE),
    "kill second web": ("LobbyDown", GONE),
    "kill at a chore": ("LobbyDown", GONE),
    "kill everything": ("LobbyDown", GONE),
    "power cut": ("LobbyDown", GONE),
    "stop web": ("LobbyDown", "while it stands still"),
    "worker frozen": ("LobbyDown", "while it stands still; others take its work over"),
    "worker asleep": ("", "the database undoes what stands still, and others take its work over"),
    "row held": ("LobbyRowsHeld", "after 25 seconds; only those wait whose rows are held"),
    "kill worker": ("LobbyNothingDelivers", "unless another one delivers; " + GONE),
    "stop worker": ("LobbyNothingDelivers", "unless another one delivers"),
    "restart": ("", "it is back within moments"),
    "rolling restart": ("", "the other process serves meanwhile"),
    "addon updated": ("", "nothing stops"),
    "slow connections": ("", "whoever is slow holds up nobody else"),
    "kill database": ("LobbyDatabaseAway", "webhooks are kept in the spool meanwhile"),
    "stop database": ("LobbyDatabaseAway", "webhooks are kept in the spool meanwhile"),
    "database stalled": ("LobbyDatabaseAway", "webhooks are kept in the spool meanwhile"),
    "database refused": ("LobbyDatabaseAway", "webhooks are kept in the spool meanwhile"),
    "database reset": ("LobbyDatabaseAway", "also where it answers in between"),
    "database slow": (
        "LobbyDatabaseAway",
        "when an answer takes seconds; before that LobbyPagesSlow, when a page does",
    ),
    "commit cut before": (
        "LobbyDatabaseAway",
        "on a server, whose line breaks in between; on SQLite LobbyPagesFail",
    ),
    "commit cut after": (
        "LobbyDatabaseAway",
        "on a server, whose line breaks in between; on SQLite LobbyPagesFail",
    ),
    "statement fails": ("LobbyPagesFail", "when more than one in twenty answers is an error"),
    "disk full": ("LobbyDiskAlmostFull", "before it is full"),
    "kill broker": ("LobbyBrokerAway", "work is found by looking meanwhile"),
    "provider failing": ("LobbyNothingSent", "once none was sent for ten minutes"),
    "provider refused": ("LobbyNothingSent", "once none was sent for ten minutes"),
    "provider reset": ("LobbyRepliesUnconfirmed", "once one is looked for for ten minutes"),
    "provider stalled": ("LobbyRepliesUnconfirmed", "once one is looked for for ten minutes"),
    "provider slow": ("", "replies leave, a moment later"),
    "clock of web": ("LobbyClockWrong", "from ten seconds on"),
    "clock of worker": ("LobbyClockWrong", "from ten seconds on"),
    "clocks apart": ("LobbyClockWrong", "from ten seconds on"),
}
"""The alert each fault of the torture sets off, and when; or none, and why nobody has to do anything."""


def table() -> str:
    """Return the table docs/torture.md must hold."""
    rows = [
        f"| {fault} | {f'`{alert}`' if alert else 'none'} | {why} |" for fault, (alert, why) in ALERTS.items()
    ]
    return "\n".join(["| fault | alert | when, or why none |", "|---|---|---|", *rows])


QUICKER = 60
"""How many times shorter the times of the rules are."""
QUICK = "quick"
EVERY = "1500ms"
"""How often this Prometheus looks."""
LEAST_MS = 3_000
"""The shortest time a rule looks back: within a shorter one this Prometheus may not have looked."""
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_AGES = re.compile(r"(_age_seconds\S*\)* > )(\d+)")
_COUNTS = re.compile(r"(increase\(\w+(?:\{[^}]*\})?\[\w+\]\)+ > )(\d+)(?![\d.])")
"""How often something has to happen within a time; within a shorter one, that much less often."""


def rules() -> list[dict[str, Any]]:
    """Return the rules as they are delivered."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def looks_back(rule: Mapping[str, Any]) -> bool:
    """Tell whether the expression of *rule* holds for a while after its cause."""
    return "[" in rule["expr"]


def milliseconds(duration: str) -> int:
    """Return how long a duration of a rule is, such as ``5m``."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def quicker(rule: Mapping[str, Any], *, disk: int = 1024**3) -> dict[str, Any]:
    """Return *rule* with all its times :data:`QUICKER`, or :data:`LEAST_MS`, and nothing else of it changed.

    :param disk: bytes to put in the place of a GiB.
    """

    def shorter(found: re.Match[str]) -> str:
        return f"[{max(LEAST_MS, milliseconds(found[1]) // QUICKER)}ms]"

    expr = re.sub(r"\[(\w+)\]", shorter, rule["expr"])
    for fewer in (_AGES, _COUNTS):
        expr = fewer.sub(lambda found: f"{found[1]}{int(found[2]) / QUICKER:g}", expr)
    expr = expr.replace(f"< {1024**3}", f"< {disk}")
    waits = f"{milliseconds(rule.get('for', '0s')) // QUICKER}ms"
    return {**rule, "expr": expr, "for": waits, "labels": {**rule["labels"], "pace": QUICK}}


class Prometheus:
    """A running Prometheus.

    :param port: where it answers.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        try:
            return requests.get(f"{self._url}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def active(self, pace: str = QUICK) -> dict[str, str]:
        """Return the alerts whose expression holds, and whether each is ``pending`` or ``firing``.

        :param pace: of the quicker rules; empty: of those as they are delivered.
        """
        found = requests.get(f"{self._url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {
            one["labels"]["alertname"]: one["state"]
            for one in sorted(found, key=lambda one: str(one["state"]), reverse=True)
            if one["labels"].get("pace", "") == pace
        }

    def fires(self, alert: str) -> bool:
        return self.active().get(alert) == "firing"


def program() -> str | None:
    """Return the path of Prometheus, or None where it is not installed."""
    return shutil.which("prometheus")


@contextmanager
def watching(folder: Path, ports: Sequence[int], token: str, *, disk: int) -> Iterator[Prometheus]:
    """Run a Prometheus that watches the processes at *ports*, by the rules and by quicker ones."""
    found, port = program(), free_port()
    assert found is not None
    folder.mkdir()
    (folder / "rules.yaml").write_text(
        yaml.safe_dump(
            {
                "groups": [
                    {"name": "lobby", "rules": rules()},
                    {"name": "quicker", "rules": [quicker(one, disk=disk) for one in rules()]},
                ]
            }
        )
    )
    job = {
        "job_name": "lobby",
        "authorization": {"credentials": token},
        "static_configs": [{"targets": [f"127.0.0.1:{one}" for one in ports]}],
    }
    times = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
    (folder / "prometheus.yaml").write_text(
        yaml.safe_dump({"global": times, "rule_files": ["rules.yaml"], "scrape_configs": [job]})
    )
    command = [
        found,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "output").open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        prometheus = Prometheus(port)
        until(prometheus.ready, "Prometheus answering")
        yield prometheus
    finally:
        running.terminate()
        running.wait()
