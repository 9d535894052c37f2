"""An addon is switched, updated and rolled back by two admins at once while its provider keeps posting.

Two web processes on one PostgreSQL, real sockets: what either answered 200 is in the inbox exactly once.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from demo.person import PageError, Person
from demo.processes import free_port
from host.addons.package.build import build_addon
from host.core.backports.values import replace
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.whole.rig import Rig, running, until
from tests.whole.shops import prepare

pytestmark = [pytest.mark.services, pytest.mark.slow]

ADMINS = ("ada@example.com", "ben@example.com")
LONG = 300.0
"""Seconds a request may stay inside: all the switches on a machine that four tests share."""
BUSY = "Another addon operation is already running"
SECRET = "a secret of the toy"
TOY = Path(__file__).resolve().parent.parent / "toy"

MORE = """

@bp.get("/broken")
def broken() -> str:
    raise RuntimeError("the kiln of {version} is cold")


@bp.get("/about/slow")
def slow() -> str:
    import sys
    import time
    from pathlib import Path

    (Path({folder!r}) / "inside-{version}").touch()
    # As if it waited for a provider, which is no time of its own.
    with sys.modules["host.core.call_budget"].paused():
        for _ in range(6000):
            if (Path({folder!r}) / "go").exists():
                break
            time.sleep(0.05)
    return render_template("toy/page.html", text="slow {version}")
"""


def toy(version: str, folder: Path) -> Path:
    """Build a toy that says its version, and has a page that answers once ``go`` lies in *folder*."""
    source = folder / f"toy-{version}"
    shutil.copytree(TOY, source, ignore=shutil.ignore_patterns("__pycache__"))
    pages = source / "toy" / "pages.py"
    text = pages.read_text().replace("for everybody", version)
    pages.write_text(text + MORE.format(folder=str(folder), version=version))
    manifest = source / "addon.toml"
    text = manifest.read_text().replace('version = "1.0.0"', f'version = "{version}"')
    manifest.write_text(text.replace('"webhook", "about"', '"webhook", "about", "about/slow"'))
    target = folder / f"toy-{version}.zip"
    build_addon(source, target)
    return target


@dataclass
class Provider:
    """What posts to both desks at once, and posts again what was not answered 200, as providers do."""

    addresses: tuple[str, str]
    threads: list[threading.Thread] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)
    trouble: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        for number in range(4):
            thread = threading.Thread(target=self._pour, args=(number,), name=f"provider {number}")
            self.threads.append(thread)
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def _pour(self, who: int) -> None:
        session = requests.Session()
        session.trust_env = False
        for number in itertools.count():
            if self.over.is_set():
                return
            text = f"{who}-{number}"
            # Each message is brought until it is taken, by turns to both; every fifth once more after that.
            brought = itertools.cycle(self.addresses if number % 2 else self.addresses[::-1])
            deadline = time.monotonic() + 60
            while not self._bring(session, next(brought), who, text):
                if self.over.is_set():
                    return
                if time.monotonic() > deadline:
                    self.trouble.append(f"{text} was not taken within a minute")
                    return
                time.sleep(0.02)
            if number % 5 == 0:
                self._bring(session, next(brought), who, text)

    def _bring(self, session: requests.Session, address: str, who: int, text: str) -> bool:
        at = int(time.time() * 1000)
        event = {"from": f"customer-{who}", "id": f"m-{text}", "text": text, "at": at, "name": f"Bo {who}"}
        body = json.dumps({"events": [event]}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        try:
            answer = session.post(address, data=body, headers={"X-Toy-Signature": signature}, timeout=30)
        except requests.RequestException as error:
            self.trouble.append(f"{text}: {error}")
            return False
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.taken.add(text)
            elif answer.status_code != 404:
                self.trouble.append(f"{text} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.status_code == 200

    def goes_on(self) -> None:
        """Wait until some more was taken, so that every state sees traffic."""
        before = self.answers.total()
        until(lambda: self.answers.total() >= before + 12 or self.trouble, "the provider going on", 30)


@dataclass
class Scene:
    """Both processes, an admin at each, the database they share, and the provider."""

    desks: tuple[Rig, Rig]
    admins: tuple[Person, Person]
    engine: sa.Engine
    provider: Provider
    folder: Path

    def rows(self, query: str) -> list[sa.Row[tuple[object, ...]]]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(query)))

    def together(
        self, place: str, button: str, values: dict[str, str] | None = None, to: str = ""
    ) -> list[str]:
        """Have both admins open *place*, then press *button* at once; return what each read after that.

        :param to: part of the form's address, if several forms have such a button.
        """
        for admin in self.admins:
            admin.open(place)
        barrier = threading.Barrier(2)
        read: list[str] = []

        def press(admin: Person) -> None:
            barrier.wait(10)
            try:
                read.append(admin.press(button, values, to=to))
            except (PageError, requests.RequestException) as error:
                self.provider.trouble.append(str(error))

        threads = [threading.Thread(target=press, args=(admin,)) for admin in self.admins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        self.provider.goes_on()
        return read

    def answer(self, desk: Rig) -> str:
        """Return which version's page a desk shows, or its status."""
        answer = requests.get(f"{desk.url}/addons/toy/about", timeout=30)
        if answer.status_code == 200:
            return answer.text.removeprefix("<p>toy page ").removesuffix("</p>")
        return str(answer.status_code)

    def installs(self, version: str) -> None:
        """Have the first admin upload a release and install it, and both switch it on."""
        ada = self.admins[0]
        ada.open("/admin/addons")
        path = toy(version, self.folder)
        ada.press("Upload and install", files={"zip": (path.name, path.read_bytes())})
        ada.press("Install")
        self.together("/admin/addons", "Activate")
        self.both_show(version)

    def messages(self) -> Counter[str]:
        """Wait until all that was taken is applied; return how often each text is in the inbox."""
        until(
            lambda: self.rows("SELECT COUNT(*) FROM inbound_events WHERE state = 'pending'")[0][0] == 0,
            "everything being applied",
            90,
        )
        query = "SELECT text FROM messages WHERE direction = 'inbound'"
        return Counter(str(text) for (text,) in self.rows(query))

    def both_show(self, wanted: str) -> None:
        until(
            lambda: [self.answer(one) for one in self.desks] == [wanted] * 2, f"both desks showing {wanted}"
        )

    def in_flight(self, desk: Rig, version: str) -> Callable[[], requests.Response]:
        """Send a request that stays inside *version* until ``go``; return what waits for its answer."""
        found: list[requests.Response] = []
        address = f"{desk.url}/addons/toy/about/slow"
        thread = threading.Thread(target=lambda: found.append(requests.get(address, timeout=LONG)))
        thread.start()
        until((self.folder / f"inside-{version}").exists, f"a request being inside {version}")

        def wait() -> requests.Response:
            thread.join(LONG)
            assert found, "a request was begun before the switches and never answered"
            return found[0]

        return wait


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    for url in fresh_server_database(POSTGRESQL):
        settings = {"LOBBY_DATABASE_URL": url, "LOBBY_THREADS": "16"}
        for first in running(tmp_path, settings=settings):
            first.lobby("migrate")
            people = [{"email": email, "name": email[:3].title(), "admin": True} for email in ADMINS]
            made = prepare(
                first,
                {"workspaces": ["Pottery"], "people": people, "zip": str(toy("1.0.0", tmp_path))},
            )
            account = {
                "channel": "toy",
                "workspace": made["workspaces"]["Pottery"],
                "values": {"handle": "ann", "secret": SECRET},
            }
            prepare(first, {"connect": [account]})
            second = replace(first, port=free_port(), program=None, said=[])
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
            try:
                first.start()
                second.start()
                with engine.connect() as connection:
                    uuid = connection.execute(sa.text("SELECT uuid FROM channel_accounts")).scalar_one()
                desks = (first, second)
                addresses = tuple(f"{one.url}/addons/toy/webhook/{uuid}" for one in desks)
                admins = (first.person(ADMINS[0]), second.person(ADMINS[1]))
                provider = Provider((addresses[0], addresses[1]))
                try:
                    yield Scene(desks, admins, engine, provider, tmp_path)
                finally:
                    provider.end()
            finally:
                second.stop()


def test_nothing_is_lost_while_two_admins_switch_an_addon_at_once(scene: Scene) -> None:
    provider, (first, second), addons = scene.provider, scene.desks, "/admin/addons"
    scene.both_show("1.0.0")
    provider.begin()
    on_the_first = scene.in_flight(first, "1.0.0")

    ada = scene.admins[0]
    ada.open(addons)
    path = toy("1.1.0", scene.folder)
    ada.press("Upload and install", files={"zip": (path.name, path.read_bytes())})
    scene.together(ada.url.removeprefix(first.url), "Replace 1.0.0 with 1.1.0")
    scene.both_show("1.1.0")
    on_the_second = scene.in_flight(second, "1.1.0")

    scene.together(addons, "Roll back to 1.0.0")
    scene.both_show("1.0.0")
    (scene.folder / "go").touch()
    for wait, version in ((on_the_first, "1.0.0"), (on_the_second, "1.1.0")):
        answer = wait()
        assert (answer.status_code, answer.text) == (200, f"<p>toy page slow {version}</p>")
    scene.together(addons, "Deactivate", to="/toy/")
    scene.both_show("404")
    scene.together(addons, "Activate", to="/toy/")
    scene.both_show("1.0.0")
    scene.together(addons, "Roll back to 1.1.0")
    scene.both_show("1.1.0")
    provider.end()
    assert provider.trouble == []
    assert provider.answers[404] > 0, "nothing came while it was off"

    counted = scene.messages()
    assert set(counted) == provider.taken
    assert set(counted.values()) == {1}
    assert scene.rows("SELECT reason FROM inbound_events WHERE state = 'dead'") == []
    assert scene.rows("SELECT state, operation FROM addons WHERE slug = 'toy'") == [("active", None)]
    scene.both_show("1.1.0")
    for desk in scene.desks:
        assert "Traceback" not in desk.output, desk.output[-4000:]
    print(f"{len(counted)} messages, answered {dict(provider.answers)}")


def test_nothing_is_lost_while_two_admins_uninstall_an_addon_at_once(scene: Scene) -> None:
    provider, addons, page = scene.provider, "/admin/addons", "/admin/addons/toy/uninstall"
    scene.both_show("1.0.0")
    provider.begin()
    on_the_second = scene.in_flight(scene.desks[1], "1.0.0")

    scene.together(addons, "Deactivate", to="/toy/")
    scene.both_show("404")
    read = scene.together(page, "Uninstall", {"what": "keep"})
    assert provider.trouble == []
    assert sum("Its tables and conversations are kept." in one for one in read) == 1, read
    assert sum("The addon toy is not installed." in one or BUSY in one for one in read) == 1, read
    assert scene.rows("SELECT slug FROM addons WHERE slug = 'toy'") == []
    before = len(provider.taken)
    assert scene.rows("SELECT state FROM channel_accounts") == [("connected",)]

    scene.installs("1.2.0")
    until(lambda: len(provider.taken) > before + 12 or provider.trouble, "messages after it was put back", 60)
    (scene.folder / "go").touch()
    answer = on_the_second()
    assert (answer.status_code, answer.text) == (200, "<p>toy page slow 1.0.0</p>")

    scene.together(addons, "Deactivate", to="/toy/")
    export = scene.admins[1]
    export.open(page)
    export.press("Export data")
    read = scene.together(page, "Uninstall", {"what": "purge", "name": "toy"})
    assert sum("and its tables deleted" in one for one in read) == 1, read
    tables = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'toy_%' OR tablename LIKE 'addon_toy%'"
    assert scene.rows(tables) == []
    scene.both_show("404")
    provider.end()
    assert provider.trouble == []
    counted = scene.messages()
    assert set(counted.values()) == {1}
    # What came right before the end is in the journal, and says why it went no further.
    dead = scene.rows("SELECT body, reason FROM inbound_events WHERE state = 'dead'")
    assert {reason for _body, reason in dead} <= {"The addon was uninstalled before this was applied."}
    assert {*counted, *(json.loads(bytes(body))["text"] for body, _reason in dead)} == provider.taken
    for admin in scene.admins:
        assert admin.open("/admin/addons")
    for desk in scene.desks:
        assert "Traceback" not in desk.output, desk.output[-4000:]


def test_an_error_in_one_process_is_shown_by_the_other_and_after_both_are_gone(scene: Scene) -> None:
    scene.both_show("1.0.0")
    ada, ben = scene.admins
    with pytest.raises(PageError):
        ben.open("/addons/toy/broken")
    for page in ("/admin/addons", "/admin/hooks"):
        until(lambda page=page: "RuntimeError: the kiln of 1.0.0 is cold" in ada.open(page), page, 30)  # type: ignore[misc]
    for desk in scene.desks:
        desk.stop()
        desk.start()
    assert "the kiln of 1.0.0 is cold" in ada.open("/admin/addons")
    path = toy("1.2.0", scene.folder)
    ada.press("Upload and install", files={"zip": (path.name, path.read_bytes())})
    ada.press("Replace 1.0.0 with 1.2.0")
    scene.both_show("1.2.0")
    for admin in scene.admins:
        for page in ("/admin/addons", "/admin/hooks"):
            assert "the kiln of 1.0.0 is cold" not in admin.open(page)
