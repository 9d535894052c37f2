"""What an addon's check of its settings finds is said after saving, and what was typed is saved anyway."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

from host.addons import lifecycle, setting_checks
from host.core import db
from host.models.users import Role
from host.process.serving import HostApplication
from host.sdk import settings
from host.sdk._forms import values
from host.sdk.cards import Problems, SettingsCheck
from host.sdk.errors import FetchError, ProviderError
from host.sdk.secrets import Secret
from tests.addons.conftest import MakeZip
from tests.addons.test_setting_forms import FILLED, KEY, activated, owner_of, page_of, send, with_forms
from tests.helpers import Browser, make_workspace

WRONG = {**FILLED, "api_key": "the-password-of-mia"}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    values.use({})


@pytest.fixture
def shop(desk: HostApplication, toy_zip: MakeZip) -> HostApplication:
    return activated(desk, toy_zip({"addon.toml": with_forms()}))


@pytest.fixture
def workspace(shop: HostApplication) -> int:
    return make_workspace()


@pytest.fixture
def owner(shop: HostApplication, workspace: int) -> Browser:
    return owner_of(shop, workspace)


def checked_by(monkeypatch: pytest.MonkeyPatch, run: Callable[[int], Any], seconds: float = 5) -> None:
    """Have the toy check its settings by *run*."""
    monkeypatch.setattr(setting_checks, "check_of", lambda _slug: SettingsCheck(run, seconds))
    monkeypatch.setattr("host.addons.form_views.check_of", lambda _slug: SettingsCheck(run, seconds))


def beside_fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'id="setting-(\w+)-error">([^<]+)<', unescape(page)))


def test_what_works_is_said_after_saving(owner: Browser, workspace: int) -> None:
    page = owner.get(page_of(workspace)).text
    assert page.count("Save and check") == 2, "on the form, and on the bar of unsaved changes"
    assert send(owner, page_of(workspace), FILLED).status_code == 303
    assert "Saved. The shop can be asked." in unescape(owner.get(page_of(workspace)).text)


def test_a_problem_stands_at_its_field_and_everything_is_saved(owner: Browser, workspace: int) -> None:
    answer = send(owner, page_of(workspace), WRONG)
    page = unescape(answer.text)
    assert answer.status_code == 200
    assert "Saved, but the check found a problem." in page
    assert "Check 1 field." in page
    assert beside_fields(page) == {
        "api_key": "This is no API key of the toy: it begins with sk-. Copy it again."
    }
    assert settings.workspace("toy", workspace)["api_key"] == Secret(WRONG["api_key"])
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    again = send(owner, page_of(workspace), {**FILLED, "region": "eu"}, version=version)
    assert again.status_code == 303, "the page that said so can be corrected and saved"


def test_what_is_refused_is_not_checked(
    owner: Browser, workspace: int, shop: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    checked_by(monkeypatch, lambda workspace_id: asked.append(workspace_id) or "Fine.")
    assert send(owner, page_of(workspace), {"shop_url": "shop"}).status_code == 400
    agent = owner_of(shop, workspace, Role.AGENT)
    assert send(agent, page_of(workspace), FILLED).status_code == 403
    stranger = owner_of(shop, make_workspace("Bakery"))
    assert send(stranger, page_of(workspace), FILLED).status_code == 404
    assert asked == []
    assert send(owner, page_of(workspace), FILLED).status_code == 303
    assert asked == [workspace]


def test_no_secret_is_in_what_is_said(
    owner: Browser, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(workspace_id: int) -> Problems:
        key = settings.workspace("toy", workspace_id)["api_key"]
        assert isinstance(key, Secret)
        return Problems({"api_key": f"Refused: {key.reveal()}", "": f"So is Bearer {key.reveal()}."})

    checked_by(monkeypatch, run)
    page = send(owner, page_of(workspace), WRONG).text
    assert "Refused: •••" in page
    assert WRONG["api_key"] not in page
    assert KEY not in page


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ProviderError("no such key"), "The provider refused: no such key."),
        (FetchError("broken off"), "The provider could not be reached. Try again later."),
        (KeyError("x"), "The check failed because of an error in the addon. Tell an admin."),
    ],
)
def test_a_check_that_raises_is_a_sentence(
    owner: Browser, workspace: int, monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str
) -> None:
    def run(_workspace_id: int) -> str:
        raise raised

    checked_by(monkeypatch, run)
    answer = send(owner, page_of(workspace), FILLED)
    assert answer.status_code == 200
    assert said in unescape(answer.text)
    assert settings.workspace("toy", workspace)["shop_url"] == FILLED["shop_url"]


@pytest.mark.parametrize("returned", [None, 1, Problems({})])
def test_a_check_that_says_nothing_usable_is_the_addons_fault(
    owner: Browser, workspace: int, monkeypatch: pytest.MonkeyPatch, returned: Any
) -> None:
    checked_by(monkeypatch, lambda _workspace_id: returned)
    assert "because of an error in the addon" in unescape(send(owner, page_of(workspace), FILLED).text)


def test_a_check_that_hangs_ends_in_time(
    owner: Browser, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def run(_workspace_id: int) -> str:
        release.wait()
        return "Fine."

    checked_by(monkeypatch, run, seconds=0.05)
    try:
        page = unescape(send(owner, page_of(workspace), FILLED).text)
        assert "The check did not finish within 0.05 seconds. Try again later." in page
        assert settings.workspace("toy", workspace)["region"] == "us"
    finally:
        release.set()


def test_no_transaction_is_open_while_it_runs(
    owner: Browser, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def here(_seconds: float, name: str, use: Callable[[], Any], about: object) -> Any:
        db.refuse_open_transaction()  # in the thread of the page
        asked.append((name, about))
        return use()

    monkeypatch.setattr(setting_checks.timeouts, "within", here)
    assert send(owner, page_of(workspace), FILLED).status_code == 303
    assert asked == [("settings toy.check", workspace)]


def test_an_addon_without_a_check_saves_as_before(
    desk: HostApplication, toy_zip: MakeZip, caplog: pytest.LogCaptureFixture
) -> None:
    def without(code: str) -> str:
        return re.sub(r"@hookimpl\ndef register_settings_check.*?\n\n\n", "", code, flags=re.DOTALL)

    caplog.set_level(logging.ERROR)
    activated(desk, toy_zip({"addon.toml": with_forms(), "toy/addon.py": without}))
    workspace = make_workspace()
    owner = owner_of(desk, workspace)
    assert "Save and check" not in owner.get(page_of(workspace)).text
    assert send(owner, page_of(workspace), WRONG).status_code == 303
    assert "Saved." in owner.get(page_of(workspace)).text


def test_a_check_that_wants_too_long_is_refused(desk: HostApplication, toy_zip: MakeZip) -> None:
    long = toy_zip({"toy/shop.py": lambda code: code.replace("seconds=2", "seconds=11")})
    lifecycle.install_file(desk.config, long)
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert not outcome.ok
    assert "wants 11 seconds, of at most 10" in str(outcome.error)
