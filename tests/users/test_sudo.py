"""Asking for the password: once per visit of the settings, in this browser, of whoever is signed in."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import clock, db
from host.models.users import AuditEntry, User
from host.sdk import web as sdk_web
from host.users import users
from host.users.pages import sudo
from tests.helpers import PASSWORD, Browser, client_for

LATER = sudo.FRESH + timedelta(seconds=1)


@pytest.fixture
def person(desk: Flask) -> User:
    return db.write(lambda s: users.create(s, "mia@example.com", "Mia R.", "correct horse battery"))


@pytest.fixture
def browser(desk: Flask, person: User) -> Browser:
    @sudo.fresh_password
    def dangerous() -> str:
        return "done"

    desk.add_url_rule("/dangerous", view_func=dangerous, methods=["GET", "POST"])
    return client_for(desk, person)


def test_who_just_client_for_is_not_asked(browser: Browser) -> None:
    assert browser.get("/dangerous").text == "done"
    assert browser.post_form("/dangerous").text == "done"


def test_a_form_may_bring_the_password_along(browser: Browser) -> None:
    with clock.travel(LATER):
        assert browser.post_form("/dangerous", password="correct horse battery").text == "done"
        assert browser.post_form("/dangerous").text == "done", "it counts for the next quarter of an hour"
    with clock.travel(LATER * 2):
        assert browser.post_form("/dangerous").status_code == 403
    with db.read() as session:
        entry = session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.subject, entry.details) == (
        "session.confirmed",
        "mia@example.com",
        {"for": "/dangerous", "by": "password"},
    )


def test_who_confirms_with_a_form_is_not_asked_by_its_answer(desk: Flask, person: User) -> None:
    @sudo.fresh_password
    def shows() -> str:
        return f"fresh: {sudo.is_fresh()}"

    desk.add_url_rule("/account/shows", view_func=shows, methods=["POST"])
    browser = client_for(desk, person)
    with clock.travel(LATER):
        assert browser.post_form("/account/shows", password=PASSWORD).text == "fresh: True"
        page = browser.get("/account/confirm").text
    assert re.search(r'id="password"[^>]* autofocus|autofocus[^>]* id="password"', page)


def test_a_wrong_or_missing_password_does_nothing(browser: Browser) -> None:
    with clock.travel(LATER):
        answer = browser.post_form("/dangerous", password="wrong")
        assert answer.status_code == 403
        assert "Wrong password" in answer.text
        answer = browser.post_form("/dangerous")
        assert answer.status_code == 403
        assert "You last entered it a while ago" in answer.text
        assert 'action="/dangerous"' in answer.text
        as_json = browser.post(
            "/dangerous", headers={"Accept": "application/json", "X-CSRFToken": browser.csrf()}
        )
        assert as_json.get_json()["error"]["code"] == "password_needed"


def test_guessing_has_to_wait(browser: Browser) -> None:
    with clock.travel(LATER):
        answers = [browser.post_form("/dangerous", password=f"guess {n}").status_code for n in range(7)]
    assert answers == [403] * 5 + [429] * 2


def test_a_page_sends_people_to_confirm_and_back(browser: Browser) -> None:
    with clock.travel(LATER):
        answer = browser.get("/dangerous?x=1")
        assert answer.status_code == 302
        assert answer.location == "/account/confirm?next=/dangerous?x%3D1"
        assert "Confirm your password" in browser.get(answer.location).text
        wrong = browser.post_form("/account/confirm", password="wrong", next="/dangerous?x=1")
        assert wrong.status_code == 400
        assert "Wrong password" in wrong.text
        right = browser.post_form("/account/confirm", password="correct horse battery", next="/dangerous?x=1")
        assert right.location == "/dangerous?x=1"
        assert browser.get("/dangerous").text == "done"
        away = browser.post_form("/account/confirm", password="correct horse battery", next="//evil.example")
        assert away.location == "/"


def test_another_browser_of_the_same_person_is_asked_for_itself(
    desk: Flask, browser: Browser, person: User
) -> None:
    other = client_for(desk, person)
    with clock.travel(LATER):
        assert browser.post_form("/dangerous", password="correct horse battery").text == "done"
        assert other.post_form("/dangerous").status_code == 403


def test_using_the_settings_renews_it_up_to_an_hour(desk: Flask, browser: Browser, person: User) -> None:
    other = client_for(desk, person)
    for minutes in (14, 28, 42, 56):
        with clock.travel(timedelta(minutes=minutes)):
            assert browser.get("/account").status_code == 200
            assert browser.get("/dangerous").text == "done", minutes
    with clock.travel(timedelta(minutes=59)):
        assert browser.get("/dangerous").text == "done"
        assert other.get("/dangerous").status_code == 302, "another browser of theirs has its own visit"
    with clock.travel(sudo.LONGEST):
        assert browser.get("/dangerous").status_code == 302, "an hour after the password, used or not"
        assert browser.post_form("/account/confirm", password=PASSWORD, next="/").status_code == 302
    with clock.travel(sudo.LONGEST + timedelta(minutes=14)):
        assert browser.get("/account").status_code == 200
    with clock.travel(sudo.LONGEST + timedelta(minutes=28)):
        assert browser.get("/dangerous").text == "done"
    with clock.travel(sudo.LONGEST + timedelta(minutes=30)):
        assert browser.get("/dangerous").status_code == 302, "a quarter of an hour after the last page"


@pytest.mark.parametrize(
    ("page", "headers"),
    [("/dangerous", {}), ("/", {}), ("/static/lobby.css", {}), ("/account", {"X-Prefetch": "1"})],
)
def test_only_a_person_in_the_settings_renews_it(
    browser: Browser, page: str, headers: dict[str, str]
) -> None:
    with clock.travel(timedelta(minutes=14)):
        browser.get(page, headers=headers)
    with clock.travel(LATER):
        assert browser.get("/dangerous").status_code == 302


def test_what_ran_out_is_not_renewed_by_a_page(browser: Browser) -> None:
    with clock.travel(LATER):
        browser.get("/account")
        assert browser.get("/dangerous").status_code == 302


def test_ways_to_sign_in_take_a_password_of_just_now(browser: Browser) -> None:
    with clock.travel(timedelta(minutes=14)):
        assert browser.get("/account/security/app").status_code == 200
    with clock.travel(LATER):
        assert browser.get("/dangerous").text == "done"
        assert browser.get("/account/security/app").location.startswith("/account/confirm?")
        answer = browser.post_form("/account/security/codes")
        assert (answer.status_code, "code-again-form" in answer.text) == (403, False)


def test_a_stranger_is_sent_to_the_login(desk: Flask, browser: Browser) -> None:
    from tests.helpers import browser as new_browser

    assert new_browser(desk).get("/dangerous").location.startswith("/login?next=")


def test_addons_read_when_a_person_confirmed_by_the_name_it_had(desk: Flask, person: User) -> None:
    seen = []

    def view() -> str:
        user = sdk_web.current_user()
        seen.append((user.confirmed_at, user.confirmed.at))
        return ""

    desk.add_url_rule("/seen", view_func=view)
    assert client_for(desk, person).get("/seen").status_code == 200
    assert seen[0][0] == seen[0][1] > clock.now() - sudo.FRESH
