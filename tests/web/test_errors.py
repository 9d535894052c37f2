"""Errors say what happened and what to do next, to people as a page and to programs as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Blueprint, Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from host.core import db
from host.core.errors import ConflictError, TooManyError, UnavailableError
from tests.helpers import Browser, StandInGeneration, browser, build_app, client_for, make_user


def raising(error: Exception) -> object:
    def view() -> str:
        raise error

    return view


def desk_that_raises(data: Path, error: Exception) -> Flask:
    blueprint = Blueprint("toy", "toy")
    blueprint.add_url_rule("/go", "go", raising(error))  # type: ignore[arg-type]
    generation = StandInGeneration(
        blueprints=(("toy", blueprint),), public_paths=frozenset({"/addons/toy/go"})
    )
    return build_app(data, generation=generation)


def error_of(answer: TestResponse) -> dict[str, str]:
    assert answer.json is not None
    return dict(answer.json["error"])


def test_a_page_that_is_not_there_says_so_and_leads_back(client: Browser) -> None:
    page = client.get("/nothing")
    assert page.status_code == 404
    assert "Page not found" in page.text
    assert 'href="/"' in page.text


def test_a_program_gets_the_same_as_json(client: Browser) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"
    assert error_of(answer)["next"]


def test_a_program_that_is_not_signed_in_gets_a_401(client: Browser) -> None:
    answer = client.get("/account", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "not_signed_in"


def test_a_crash_shows_a_reference_and_nothing_of_the_code(
    database: db.Database, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = browser(desk_that_raises(data, RuntimeError("secret detail"))).get("/addons/toy/go")
    assert page.status_code == 500
    assert "secret detail" not in page.text
    assert "Traceback" not in page.text
    reference = page.text.split("<code>")[1].split("</code>")[0]
    assert any(reference in record.getMessage() for record in caplog.records)


def test_a_limit_says_when_to_come_back(database: db.Database, data: Path) -> None:
    answer = browser(desk_that_raises(data, TooManyError(retry_after=90))).get("/addons/toy/go")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "90")


def test_an_error_of_a_use_case_shows_its_own_sentence(database: db.Database, data: Path) -> None:
    error = ConflictError("The pot is broken.", next_step="Create a new one.")
    page = browser(desk_that_raises(data, error)).get("/addons/toy/go")
    assert page.status_code == 409
    assert "The pot is broken." in page.text
    assert "Create a new one." in page.text


def test_something_missing_behind_the_desk_is_a_503(database: db.Database, data: Path) -> None:
    answer = browser(desk_that_raises(data, UnavailableError())).get("/addons/toy/go")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_a_database_that_is_down_is_a_503_also_for_people_signed_in(
    desk: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(desk, make_user())

    def down(*_: object, **__: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    monkeypatch.setattr("host.users.sessions.load", down)
    page = client.get("/account")
    assert page.status_code == 503
    assert "Lobby is unavailable" in page.text
    assert "server closed" not in page.text


def test_an_error_page_that_fails_itself_still_answers(
    client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("template gone")

    monkeypatch.setattr("host.web.error_pages.render_template", broken)
    page = client.get("/nothing")
    assert page.status_code == 404
    assert "Something went wrong" in page.text
    assert "template gone" not in page.text
