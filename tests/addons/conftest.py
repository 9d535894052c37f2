"""What the platform's tests share: zips of the toy addon, and a desk to install them into."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from host import counters
from host.addons.migrating import apart_child, runner
from host.addons.package.build import build_addon
from host.core import child, config, db, migrations
from host.core.config import Config
from host.process.serving import HostApplication
from host.users import users
from tests.warm import forking

TOY = Path(__file__).resolve().parent.parent / "toy"
EMAIL, PASSWORD = "admin@example.com", "correct horse battery"

MakeZip = Callable[..., Path]


@pytest.fixture(scope="session")
def warm_children() -> Iterator[Any]:
    children = (
        "package.checking_child",
        "running.hook_child",
        "running.probe_child",
        "migrating.apart_child",
    )
    with forking(*(f"host.addons.{name}" for name in children), "alembic.command") as forked:
        yield forked


@pytest.fixture(autouse=True)
def _children_are_warm(warm_children: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children forked from one that has imported; see :mod:`tests.warm`."""
    monkeypatch.setattr(child, "subprocess", warm_children)


@pytest.fixture
def cold_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children started as the product starts them."""
    monkeypatch.setattr(child, "subprocess", subprocess)


class InThisProcess:
    """Runs revisions where a test reaches them, instead of in a process of their own."""

    def upgrade(self, url: str, folder: Path, revision: str, seconds: float) -> None:
        self._take(apart_child.Order(url, str(folder), revision, seconds))

    def sums(self, url: str, folder: Path, seconds: float) -> Any:
        return self._take(apart_child.Order(url, str(folder), "", seconds)) or {}

    def end(self) -> None:
        """Do nothing: this process goes on."""

    def _take(self, order: apart_child.Order) -> Any:
        try:
            return apart_child.take(order)
        except Exception as error:
            raise apart_child.FailedError(apart_child.failure_of(error)) from error


@pytest.fixture
def migrate_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have migrations run in this process."""
    monkeypatch.setattr(runner, "migrator", lambda _data: nullcontext(InThisProcess()))


@pytest.fixture
def toy_source(tmp_path: Path) -> Callable[..., Path]:
    """Make a changed copy of the toy addon: path -> new content, or a function of the old; None deletes."""
    count = 0

    def make(changes: dict[str, Any] | None = None) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / f"toy-source-{count}"
        shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name, change in (changes or {}).items():
            path = folder / name
            if change is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            content = change(path.read_text()) if callable(change) else change
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return make


@pytest.fixture
def toy_zip(tmp_path: Path, toy_source: Callable[..., Path]) -> MakeZip:
    """Build the toy addon, changed as told, into a zip the host accepts."""
    count = 0

    def make(changes: dict[str, Any] | None = None, *, version: str = "1.0.0") -> Path:
        nonlocal count
        count += 1
        source = toy_source(changes)
        manifest = source / "addon.toml"
        manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{version}"'))
        target = tmp_path / f"toy-{count}.zip"
        build_addon(source, target)
        return target

    return make


def configuration(database: db.Database, data: Path, **environ: str) -> Config:
    """Return settings for *database*, which is already this process's."""
    return config.load(
        {
            "LOBBY_DATA": str(data),
            "LOBBY_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "LOBBY_PUBLIC_URL": "http://localhost",
            "LOBBY_WORKERS": "0",
            **environ,
        }
    )


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[HostApplication]:
    """A desk on SQLite, built and not started."""
    application = HostApplication(configuration(database, data))
    yield application
    application.close()


@pytest.fixture
def any_desk(any_database: db.Database, data: Path) -> Iterator[HostApplication]:
    """The same, once for each kind of database."""
    application = HostApplication(configuration(any_database, data))
    yield application
    application.close()


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    """An engine for migrating an empty database, once for each kind of server."""
    made = migrations.migration_engine(empty_url)
    yield made
    made.dispose()


class Admin:
    """An admin at a browser, without JavaScript."""

    def __init__(self, application: HostApplication) -> None:
        self.application = application
        self.client = Client(application)
        db.write(lambda s: users.create(s, EMAIL, "Mia R.", PASSWORD, is_admin=True))
        answer = self.post("/login", email=EMAIL, password=PASSWORD)
        assert answer.status_code == 302, answer.text

    def token(self) -> str:
        """Return the CSRF token of a page."""
        text = self.client.get("/login").text
        if 'name="csrf-token"' not in text:
            text = self.client.get("/admin/addons").text
        return text.split('name="csrf-token" content="')[1].split('"')[0]

    def get(self, path: str) -> Any:
        return self.client.get(path, follow_redirects=True)

    def post(self, path: str, **values: Any) -> Any:
        return self.client.post(path, data={"csrf_token": self.token(), **values})

    def upload(self, path: Path) -> Any:
        """Upload the zip at *path*; follow to the report."""
        with path.open("rb") as file:
            answer = self.post("/admin/addons/upload", zip=(file, path.name))
        return self.get(answer.location) if answer.status_code == 302 else answer

    def install(self, path: Path, **confirmed: str) -> Any:
        """Upload and confirm, with the boxes in *confirmed* ticked."""
        report = self.upload(path)
        assert report.status_code == 200, report.text
        place = report.text.split('/install"')[0].rsplit("/admin/addons/uploads/", 1)[1]
        answer = self.post(f"/admin/addons/uploads/{place}/install", **confirmed)
        return self.get(answer.location)

    def activate(self, slug: str = "toy") -> Any:
        answer = self.post(f"/admin/addons/{slug}/activate")
        return self.get(answer.location)

    def deactivate(self, slug: str = "toy") -> Any:
        answer = self.post(f"/admin/addons/{slug}/deactivate")
        return self.get(answer.location)


@pytest.fixture
def admin(desk: HostApplication) -> Admin:
    """An admin signed in to the desk."""
    return Admin(desk)


def another_process(application: HostApplication) -> HostApplication:
    """Return a second application on the same database, as another process would have it."""
    counters.reset()
    return HostApplication(application.config)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until something holds, a minute at most."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, "it did not come to hold within a minute"
            time.sleep(0.01)

    return wait
