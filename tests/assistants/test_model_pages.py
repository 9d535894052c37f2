"""Settings -> Language models: adding, changing, trying and deleting one; its key is never shown."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants.language import language_models
from host.assistants.models import LanguageModel
from host.core import clock, db
from host.models.users import AuditEntry, Role
from host.users.pages import sudo
from sandbox.model.server import ModelServer
from tests import helpers
from tests.assistants.model_server import KEY
from tests.inbox import toys
from tests.inbox.desks import Desk

FORM = {
    "name": "Large",
    "speaks": "openai",
    "address": "https://api.example.com/v1",
    "model": "large-1",
    "key": KEY,
    "price_in": "2,5",
    "price_out": "10",
    "currency": "eur",
}


@pytest.fixture
def owner(desk: Desk) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    return helpers.client_for(desk.app, person)


def path(desk: Desk, rest: object = "") -> str:
    return f"/w/{desk.workspace}/settings/models" + (f"/{rest}" if rest else "")


def send(browser: helpers.Browser, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
    return browser.post(path, data={"csrf_token": browser.csrf(), **(data or {})}, **more)


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def audited() -> list[tuple[str, str]]:
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action.like("language_model.%"))
        return [(one.action, one.subject) for one in session.scalars(query.order_by(AuditEntry.id))]


def test_one_is_added_changed_and_deleted_and_its_key_never_shown(desk: Desk, owner: helpers.Browser) -> None:
    empty = text(owner.get(path(desk)))
    assert "No language models yet" in empty
    begun = text(owner.get(path(desk, "new?preset=anthropic")))
    assert 'value="https://api.anthropic.com"' in begun
    assert send(owner, path(desk, "new"), data=FORM).status_code == 303
    row = toys.only(LanguageModel)
    assert (row.price_in, row.price_out, row.currency) == (2_500_000, 10_000_000, "EUR")
    listed = text(owner.get(path(desk)))
    assert "are sent to api.example.com. Nothing else is." in listed
    assert "€2.50" in listed
    form = text(owner.get(path(desk, row.id)))
    assert 'value="2.5"' in form
    assert send(owner, path(desk, row.id), data={**FORM, "name": "Small", "key": ""}).status_code == 303
    assert toys.only(LanguageModel).key is not None
    assert send(owner, path(desk, row.id), data={**FORM, "key": "", "no_key": "1"}).status_code == 303
    assert toys.only(LanguageModel).key is None
    assert send(owner, path(desk, f"{row.id}/delete")).status_code == 303
    assert toys.everything(LanguageModel) == []
    assert [one[0].partition(".")[2] for one in audited()] == ["added", "changed", "changed", "deleted"]
    journal = text(owner.get(f"/w/{desk.workspace}/settings/audit"))
    assert "added the language model" in journal
    for shown in (empty, begun, listed, form, journal):
        assert KEY not in shown


def test_what_cannot_be_kept_is_said_at_its_field_and_nothing_is_lost(
    desk: Desk, owner: helpers.Browser
) -> None:
    for change, field, words in (
        ({"address": "http://10.0.0.1/v1"}, "address", "LOBBY_MODEL_HOSTS"),
        ({"price_in": "cheap"}, "price_in", "The price must be"),
        ({"price_out": "1e400"}, "price_out", "The price must be"),
        ({"price_out": "1e999999999"}, "price_out", "The price must be"),
        ({"price_in": "NaN"}, "price_in", "The price must be"),
        ({"name": ""}, "name", "The name must have"),
    ):
        answer = send(owner, path(desk, "new"), data={**FORM, **change})
        assert answer.status_code == 400
        page = text(answer)
        assert words in page
        assert f'aria-describedby="{field}-why"' in page
        assert 'value="large-1"' in page
        assert KEY not in page
    assert toys.everything(LanguageModel) == []


def test_a_key_for_another_host_is_asked_for(desk: Desk, owner: helpers.Browser) -> None:
    send(owner, path(desk, "new"), data=FORM)
    row = toys.only(LanguageModel)
    answer = send(owner, path(desk, row.id), data={**FORM, "address": "https://evil.example.com", "key": ""})
    assert answer.status_code == 400
    assert "given for another host" in text(answer)


def test_the_password_is_asked_for_before_a_key_is_kept(desk: Desk, owner: helpers.Browser) -> None:
    with clock.travel(sudo.FRESH + timedelta(seconds=1)):
        answer = send(owner, path(desk, "new"), data=FORM)
        assert toys.everything(LanguageModel) == []
        assert (answer.status_code, 'name="password"' in text(answer)) == (403, True)
        # The page that asks for it does not carry the key on.
        assert KEY not in text(answer)
        assert re.search(r'id="password-again"[^>]* autofocus', text(answer))
        assert "Entered. Leave empty to use it again" in text(answer)
        wrong = send(owner, path(desk, "new"), data={**FORM, "password": "wrong"})
        assert (wrong.status_code, KEY in text(wrong)) == (403, False)
        assert toys.everything(LanguageModel) == []
        assert owner.get(path(desk, "new")).status_code == 302, "who opens the form now is asked first"
        # It is sealed, so that it need not be typed twice.
        (kept,) = re.findall(r'name="kept-key" value="([^"]+)"', text(wrong))
        form = {**FORM, "key": "", "kept-key": kept, "password": helpers.PASSWORD}
        other = helpers.client_for(
            owner.application, helpers.make_user(workspace=desk.workspace, role=Role.OWNER)
        )
        send(other, path(desk, "new"), data={**form, "name": "Foreign"})
        assert send(owner, path(desk, "new"), data=form).status_code == 303
    with db.read() as session:
        keys = {row.name: row.key for row in session.scalars(sa.select(LanguageModel))}
    assert (bool(keys[FORM["name"]]), bool(keys["Foreign"])) == (True, False), "nor is it another session's"


def test_trying_one_says_what_came_of_it(desk: Desk, owner: helpers.Browser, model: ModelServer) -> None:
    send(owner, path(desk, "new"), data={**FORM, "address": f"{model.url}/v1"})
    row = toys.only(LanguageModel)
    model.model.order({"do": "text", "text": "Yes <b>loud</b>\nand clear"})
    page = text(send(owner, path(desk, f"{row.id}/try"), follow_redirects=True))
    assert "Large answered in" in page
    assert "“Yes <b>loud</b> and clear”" in page
    assert "<b>loud</b>" not in owner.get(path(desk)).get_data(as_text=True)
    assert "It cost €" in page
    assert "Answers" in page
    model.model.change({"key": "another"})
    page = text(send(owner, path(desk, f"{row.id}/try"), follow_redirects=True))
    assert (
        "The model rejected the API key, the model name or the request. 401: Incorrect API key provided"
        in page
    )
    assert KEY not in page
    assert toys.only(LanguageModel).problem == "model_refused"


def test_without_the_extra_the_page_says_so(
    desk: Desk, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_models.asking, "available", lambda: False)
    assert "The packages for language models" in text(owner.get(path(desk)))


def test_agents_and_other_workspaces_see_none(desk: Desk, owner: helpers.Browser) -> None:
    send(owner, path(desk, "new"), data=FORM)
    row = toys.only(LanguageModel)
    assert desk.browser.get(path(desk)).status_code == 403
    other = helpers.make_workspace("Other")
    person = helpers.make_user(name="Eve E.", workspace=other, role=Role.OWNER)
    eve = helpers.client_for(desk.app, person)
    assert eve.get(path(desk, row.id)).status_code == 404
    for rest in ("", "/try", "/delete"):
        assert send(eve, f"/w/{other}/settings/models/{row.id}{rest}", data=FORM).status_code == 404
    assert toys.only(LanguageModel).name == "Large"
