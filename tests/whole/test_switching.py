"""Optional features are switched off and on while customers write: nothing is lost, sent late or done twice.

On PostgreSQL and MariaDB two web processes and a worker share the desk; an SQLite file has one process.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from demo.person import PageError, Person
from demo.processes import Program, free_port
from host.core.backports.values import replace
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database
from tests.receiver import Receiver, receiving
from tests.whole.rig import Rig, finish, running, until
from tests.whole.shops import ADMIN, POTTERY, POTTERY_OWNER, furnish, point_webhooks

pytestmark = [pytest.mark.services, pytest.mark.slow]

ANSWER = "We look at it."
SETTLES = 2.0
"""Seconds a worker, which shows no page, has to follow what the web processes show."""
PAGES = {
    "Reports": "reports",
    "Webhooks": "settings/integrations",
    "Rules and campaigns": "settings/rules",
    "Assistants": "assistants",
}
"""A page of each, below the address of the workspace."""
DONE = {
    "Webhooks": "",
    "Rules and campaigns": "SELECT i.text FROM messages i JOIN messages o "
    "ON o.conversation_id = i.conversation_id "
    f"WHERE i.direction = 'inbound' AND o.direction = 'outbound' AND o.text = '{ANSWER}'",
    "Assistants": "SELECT m.text FROM assistant_turns t JOIN messages m ON m.id = t.message_id",
}
"""The texts of messages that something was done about, once for each time."""


class Customers(threading.Thread):
    """People who each write one message, one after the other, the whole time."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(name="customers", daemon=True)
        self.rig = rig
        self.sent = 0
        self.trouble: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.wait(0.25):
                return
            try:
                customer = self.rig.control(
                    "POST", "customers", {"account": POTTERY.igid, "name": f"Bo {number}"}
                )
                said = {"account": POTTERY.igid, "customer": customer["igsid"], "text": text_of(number)}
                self.rig.control("POST", "dm", said)
            except (AssertionError, requests.RequestException) as error:
                self.trouble.append(str(error))
                return
            self.sent = number + 1

    def write_on(self, more: int = 8) -> None:
        """Wait until more was written."""
        wanted = self.sent + more
        until(lambda: self.sent >= wanted or self.trouble, "customers writing", 60)
        assert self.trouble == []


def text_of(number: int) -> str:
    return f"message {number}."


@dataclass
class Scene:
    """The processes of a desk, its admin, its customers, and a program that is told."""

    rigs: list[Rig]
    workers: list[Program]
    engine: sa.Engine
    workspace: int
    receiver: Receiver
    admin: Person
    owners: list[Person]
    customers: Customers
    off: dict[str, set[str]] = field(default_factory=dict)
    """Which texts came while a feature was off everywhere."""
    between: dict[str, set[str]] = field(default_factory=dict)
    """Which came while it was switched: processes follow one after the other."""

    def values(self, query: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(query)).scalars())

    def done(self, feature: str) -> Counter[str]:
        """Return how often something was done about each text."""
        if feature == "Webhooks":
            return Counter(one.told["data"]["content"]["text"] for one in list(self.receiver.got))
        return Counter(self.values(DONE[feature]))

    def counted(self) -> int:
        return int(self.values("SELECT COALESCE(SUM(received), 0) FROM report_hours")[0])

    def all_read(self) -> None:
        """Wait until what was written until now is applied and every consumer has read it."""
        wanted = {text_of(number) for number in range(self.customers.sent)}
        inbound = "SELECT text FROM messages WHERE direction = 'inbound'"
        until(lambda: wanted <= set(self.values(inbound)), "messages being applied", 120)
        newest = self.values("SELECT MAX(id) FROM domain_events")[0]
        readers = "'automation', 'webhooks', 'reports'"
        behind = f"SELECT name FROM consumers WHERE event_id < {newest} AND name IN ({readers})"
        until(lambda: not self.values(behind), "consumers reading", 120)

    def switch(self, feature: str, *, on: bool) -> float:
        """Switch a feature on the page; return after how many seconds every web process follows."""
        self.admin.open("/admin/addons")
        self.admin.press(f"Turn {'on' if on else 'off'} : {feature}")
        began = time.monotonic()
        until(lambda: all(self.shows(one, feature) is on for one in self.owners), f"{feature} {on=}", 20)
        took = time.monotonic() - began
        time.sleep(SETTLES)
        return took

    def shows(self, owner: Person, feature: str) -> bool:
        try:
            owner.open(f"{owner.desk}/w/{self.workspace}/{PAGES[feature]}")
        except PageError as error:
            if " 404" in str(error):
                return False
            raise
        return True

    def output(self) -> str:
        return "\n".join([*(one.output for one in self.rigs), *(one.output for one in self.workers)])


def api(rig: Rig, key: str, method: str, path: str, body: object) -> Any:
    answer = requests.request(
        method, f"{rig.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code < 300, answer.text
    return answer.json()


def set_up(rig: Rig, key: str, account: int, receiver: Receiver) -> None:
    """Add a rule that answers, an assistant that suggests, and an endpoint that is told of every message."""
    api(rig, key, "POST", "/endpoints", {"url": receiver.url, "events": ["message.received"]})
    rule = {"when": "message.received", "conditions": [], "actions": [{"do": "say", "text": ANSWER}]}
    api(rig, key, "POST", "/rules", {"name": "Answer", "state": "live", "body": rule})
    assistant = api(rig, key, "POST", "/assistants", {"name": "Shop desk"})["id"]
    api(rig, key, "PUT", f"/assistants/{assistant}", {"name": "Shop desk", "body": {"pause": 1}})
    api(rig, key, "PUT", f"/assistants/{assistant}/accounts/{account}", {"mode": "suggest"})


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'lobby.sqlite3'}"
    else:
        yield from fresh_server_database(POSTGRESQL if request.param == "postgresql" else MARIADB)


@pytest.fixture
def scene(url: str, tmp_path: Path, addon_zip: Path) -> Iterator[Scene]:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with receiving() as receiver:
        for first in running(tmp_path, settings={"LOBBY_DATABASE_URL": url}):
            allowed = first.environment["LOBBY_ALLOW_HOSTS"]
            first.settings["LOBBY_ALLOW_HOSTS"] = f"{allowed},{receiver.url.split('/')[2]}"
            made = furnish(first, addon_zip, keys={"Pottery": POTTERY_OWNER})
            rigs, workers = [first], []
            if not url.startswith("sqlite"):
                rigs.append(replace(first, port=free_port(), program=None, said=[]))
            try:
                for rig in rigs:
                    rig.start()
                if len(rigs) > 1:
                    arguments = [sys.executable, "-u", *first.command, "worker"]
                    workers.append(Program.start("worker", arguments, first.environment))
                    workers[0].wait_for("lobby worker running")
                set_up(first, made["keys"]["Pottery"], made["accounts"][0], receiver)
                point_webhooks(first)
                owners = [rig.person(POTTERY_OWNER) for rig in rigs]
                place = made["workspaces"]["Pottery"]
                customers = Customers(first)
                yield Scene(rigs, workers, engine, place, receiver, first.person(ADMIN), owners, customers)
                customers.stopping.set()
            finally:
                for worker in workers:
                    worker.stop()
                    finish(worker)
                for rig in rigs[1:]:
                    rig.stop()


def texts(begin: int, end: int) -> set[str]:
    return {text_of(number) for number in range(begin, end)}


def has_done(scene: Scene, feature: str, wanted: set[str]) -> None:
    """Wait until a feature has done something about all of *wanted*."""
    if feature in DONE:
        until(lambda: wanted <= scene.done(feature).keys(), f"{feature}: {len(wanted)} being done", 60)


def test_nothing_is_lost_late_or_done_twice(scene: Scene) -> None:
    customers, took = scene.customers, []
    customers.start()
    for feature in PAGES:
        begun = customers.sent
        customers.write_on()
        done = customers.sent
        has_done(scene, feature, texts(begun, done))
        took.append(scene.switch(feature, on=False))
        followed = customers.sent + 1  # one may be under way
        customers.write_on(16)
        ended = customers.sent
        scene.all_read()
        scene.off[feature] = texts(followed, ended)
        took.append(scene.switch(feature, on=True))
        begun = customers.sent + 1
        scene.between[feature] = texts(done, followed) | texts(ended, begun)
        customers.write_on()
        has_done(scene, feature, texts(begun, customers.sent))
    customers.stopping.set()
    customers.join(30)
    scene.all_read()
    print(f"{customers.sent} messages; followed after {', '.join(f'{one:.1f}' for one in took)} s")
    assert max(took) < 5, took

    everything = texts(0, customers.sent)
    inbound = Counter(scene.values("SELECT text FROM messages WHERE direction = 'inbound'"))
    assert inbound == Counter(everything)
    assert scene.values("SELECT reason FROM inbound_events WHERE state = 'dead'") == []
    for feature in DONE:
        has_done(scene, feature, everything - scene.off[feature] - scene.between[feature])
        found = scene.done(feature)
        assert {one: times for one, times in found.items() if times > 1} == {}, f"{feature}: done twice"
        assert found.keys() & scene.off[feature] == set(), f"{feature}: of the time it was off"
    assert len(set(scene.receiver.ids)) == len(scene.receiver.ids)
    most = everything - scene.off["Reports"]
    assert len(most - scene.between["Reports"]) <= scene.counted() <= len(most)
    said = scene.output().splitlines()
    assert [line for line in said if "Traceback" in line or " ERROR " in line] == []
