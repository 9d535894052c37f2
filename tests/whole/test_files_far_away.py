"""Files in an S3-compatible store: two web processes share them, and do without them while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from demo.person import Person
from demo.processes import free_port
from host.media import claiming
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.storage.servers import ACCESS_KEY, SECRET_KEY, Moto, make_bucket
from tests.whole.rig import Rig, running, until
from tests.whole.shops import POTTERY, POTTERY_AGENT, furnish, point_webhooks

pytestmark = pytest.mark.services

METRICS = "a-token-for-metrics"


class Far:
    """Two web processes on one database, whose files are in a bucket."""

    def __init__(self, first: Rig, second: Rig, moto: Moto, url: str, workspace: int) -> None:
        self.first = first
        self.second = second
        self.moto = moto
        self.workspace = workspace
        self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool)

    def files(self, state: str) -> list[int]:
        query = sa.text("SELECT id FROM attachments WHERE state = :state ORDER BY id")
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"state": state}).scalars())

    def picture_comes(self) -> None:
        who = {"account": POTTERY.igid, "customer": POTTERY.customer}
        self.first.control("POST", "dm", {**who, "kind": "image"})

    def metric(self, rig: Rig) -> str:
        answer = requests.get(
            f"{rig.url}/metrics", headers={"Authorization": f"Bearer {METRICS}"}, timeout=30
        )
        return next(line for line in answer.text.splitlines() if line.startswith("lobby_files_up"))


def signed_in(rig: Rig) -> Person:
    return rig.person(POTTERY_AGENT)


def get(person: Person, path: str, **headers: str) -> requests.Response:
    return person.session.get(f"{person.desk}{path}", headers=headers, timeout=60)


@pytest.fixture
def far(tmp_path: Path, addon_zip: Path) -> Iterator[Far]:
    moto = Moto()
    make_bucket(moto.address, "desk")
    try:
        with ExitStack() as stack:
            for url in fresh_server_database(POSTGRESQL):
                settings = {
                    "LOBBY_DATABASE_URL": url,
                    "LOBBY_SECRET_KEYS": "k1:" + "A" * 43 + "=",
                    "LOBBY_SESSION_KEY": "b" * 64,
                    "LOBBY_METRICS_TOKEN": METRICS,
                    "LOBBY_FILES": "s3://desk/files",
                    "LOBBY_FILES_ENDPOINT": moto.address,
                    "LOBBY_FILES_REGION": "us-east-1",
                    "LOBBY_FILES_ACCESS_KEY": ACCESS_KEY,
                    "LOBBY_FILES_SECRET_KEY": SECRET_KEY,
                }
                for first in running(tmp_path / "one", settings=settings):
                    made = furnish(first, addon_zip)
                    first.start()
                    point_webhooks(first)
                    second = Rig(tmp_path / "two", first.sandbox, settings, port=free_port())
                    second.start()
                    stack.callback(second.stop)
                    yield Far(first, second, moto, url, made["workspaces"]["Pottery"])
                    second.stop()
    finally:
        moto.kill()


@pytest.mark.slow
def test_a_picture_that_comes_to_one_process_is_shown_by_the_other(far: Far, tmp_path: Path) -> None:
    far.picture_comes()
    (number,) = until(lambda: far.files("stored"), "the picture")
    path = f"/w/{far.workspace}/media/{number}"
    shown = [get(signed_in(rig), path) for rig in (far.first, far.second)]
    assert [answer.status_code for answer in shown] == [200, 200]
    assert shown[0].content == shown[1].content
    assert shown[0].content.startswith(b"\x89PNG")
    assert shown[1].headers["Content-Type"] == "image/png"
    part = get(signed_in(far.second), path, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, shown[0].content[10:20])
    assert requests.get(f"{far.second.url}{path}", timeout=30, allow_redirects=False).status_code == 302
    assert [one for one in tmp_path.rglob("attachments/*/*") if one.is_file()] == []


@pytest.mark.slow
def test_while_the_store_is_away_pages_do_without_files_and_what_comes_is_fetched_later(far: Far) -> None:
    far.picture_comes()
    (number,) = until(lambda: far.files("stored"), "the picture")
    assert "lobby_files_up 1.0" in far.metric(far.second)
    person = signed_in(far.second)
    far.moto.kill()
    path = f"/w/{far.workspace}/media/{number}"
    until(lambda: get(person, path).status_code == 503, "the word about it")
    gone = get(person, path)
    assert "The file storage does not respond" in gone.text
    assert get(person, f"/w/{far.workspace}/inbox").status_code == 200
    until(lambda: far.metric(far.second) == "lobby_files_up 0.0", "the metric")
    far.picture_comes()
    until(lambda: far.files("waiting"), "the message without its picture")
    far.moto.start()
    make_bucket(far.moto.address, "desk")
    # This stand-in forgets everything: the desk notices that it is not the place it knew.
    until(lambda: "its marker is another's or missing" in far.second.output, "a word about the place")
    assert len(far.files("stored")) == 1
    with far.engine.connect() as connection:
        number = connection.scalar(sa.text("SELECT value FROM counters WHERE name = 'files'"))
    marker = f"{far.moto.address}/desk/files/lobby.desk"
    requests.put(marker, claiming.written(number), timeout=10).raise_for_status()
    until(lambda: len(far.files("stored")) == 2, "the picture that came meanwhile", 150)
    for secret in (SECRET_KEY, ACCESS_KEY):
        assert secret not in far.first.output + far.second.output
