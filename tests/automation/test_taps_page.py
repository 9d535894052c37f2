"""The answers beside the ice breakers and menu items of an account, on its pages and through the API."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation import buttons
from host.automation.deciding import Answer
from host.channels.button_payloads import digest
from host.core import db
from host.inbox.teams import teams
from host.models.automation import ButtonAnswer
from host.models.users import Role
from host.sdk.channel import ProviderProblem
from tests import helpers
from tests.automation.asking import Asking
from tests.automation.automated import Automated
from tests.automation.test_taps_browser import path
from tests.helpers import do, work
from tests.inbox.desks import Desk, open_desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data, Asking())


@pytest.fixture
def owner(desk: Desk) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    return helpers.client_for(desk.app, person)


def adapter(desk: Automated) -> Asking:
    found = desk.desk.generation.directory.adapters[0]
    assert isinstance(found, Asking)
    return found


def kept(desk: Automated, name: str = "ice_breakers") -> dict[str, Answer]:
    with db.read() as session:
        return buttons.of_list(session, desk.desk.account.id, name)


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def test_answers_are_kept_and_shown(automated: Automated, owner: helpers.Browser) -> None:
    desk = automated
    team = desk.team(desk.person("Lea K."), name="Wholesale")
    form = {
        "text-0-0": "Do you ship?",
        "answer-0-0": "Yes.",
        "quick-0-0": "Prices, , Other country ",
        "text-0-1": "A set?",
        "team-0-1": str(team),
        "text-0-2": "Prices?",
        "value-0-2": "PRICES",
        "answer-0-2": "Here.",
        "link_title-0-2": "Shop",
        "link-0-2": "https://shop.example.com",
        "text-0-3": "Open?",
    }
    assert owner.post_form(path(desk), **form).status_code == 303
    assert kept(desk) == {
        digest("Do you ship?"): Answer("Yes.", ("Prices", "Other country")),
        digest("A set?"): Answer(hands_over=True, team_id=team),
        digest("PRICES"): Answer("Here.", link_title="Shop", link="https://shop.example.com"),
        digest("Open?"): Answer(),
    }
    page = text(owner.get(path(desk)))
    assert 'value="Prices, Other country"' in page
    assert f'<option value="{team}" selected' in page
    do(teams.delete, desk.desk.workspace, team)
    page = text(owner.get(path(desk)))
    assert "The team was deleted." in page
    # Saving something else keeps that it was handed over.
    assert owner.post_form(path(desk), **form | {"team-0-1": "gone"}).status_code == 303
    assert kept(desk)[digest("A set?")] == Answer(hands_over=True)


def test_a_menu_has_answers_where_it_sends_something(automated: Automated, owner: helpers.Browser) -> None:
    form = {
        "text-0-0": "Help",
        "answer-0-0": "We come.",
        "text-0-1": "Shop",
        "does-0-1": "url",
        "value-0-1": "https://shop.example.com/",
        "answer-0-1": "Not sent.",
    }
    assert owner.post_form(path(automated, "menu"), **form).status_code == 303
    assert kept(automated, "menu") == {digest("Help"): Answer("We come.")}
    assert kept(automated) == {}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"answer-0-0": "Yes."}, "Enter the question, or clear this line."),
        ({"text-0-0": "a?", "answer-0-0": "Hi {{contact.first_name}}"}, "may be unknown. Add a fallback"),
        ({"text-0-0": "a?", "quick-0-0": "Prices"}, "Quick replies need a text above them."),
        (
            {"text-0-0": "a?", "answer-0-0": "Yes.", "link-0-0": "https://a.example"},
            "Enter a label of at most 20",
        ),
        ({"text-0-0": "a?", "team-0-0": "4711"}, "This team was deleted."),
        (
            {
                "text-0-0": "a?",
                "value-0-0": "A",
                "answer-0-0": "1",
                "text-0-1": "b?",
                "value-0-1": "A",
                "answer-0-1": "2",
            },
            "Another line sends the same value and has another answer.",
        ),
    ],
)
def test_what_is_wrong_stands_by_its_field_and_nothing_is_saved(
    automated: Automated, owner: helpers.Browser, form: dict[str, str], sentence: str
) -> None:
    response = owner.post_form(path(automated), **form)
    assert response.status_code == 400
    assert sentence in text(response)
    assert adapter(automated).questions == {}
    assert kept(automated) == {}


def test_languages_that_send_the_same_value_share_an_answer(
    automated: Automated, owner: helpers.Browser
) -> None:
    form = {"text-0-0": "Open?", "value-0-0": "OPEN", "answer-0-0": "From 9 to 18."}
    form |= {"locale-1": "de_DE", "text-1-0": "Geöffnet?", "value-1-0": "OPEN"}
    assert owner.post_form(path(automated), **form).status_code == 303
    assert kept(automated) == {digest("OPEN"): Answer("From 9 to 18.")}


def test_what_the_provider_refuses_is_not_kept(automated: Automated, owner: helpers.Browser) -> None:
    adapter(automated).problem = ProviderProblem("4", "Too much to do.", "Try again.")
    response = owner.post_form(path(automated), **{"text-0-0": "Open?", "answer-0-0": "From 9 to 18."})
    assert response.status_code == 422
    assert "From 9 to 18." in text(response)
    assert kept(automated) == {}


def test_common_questions_fill_only_what_is_empty(automated: Automated, owner: helpers.Browser) -> None:
    page = text(owner.post_form(path(automated), **{"text-0-0": "Mine?", "suggest": "1"}))
    assert 'value="Mine?"' in page
    assert 'value="Where is my order?"' in page
    assert adapter(automated).questions == {}


def test_a_team_of_another_workspace_is_none(automated: Automated, owner: helpers.Browser) -> None:
    elsewhere = helpers.make_workspace("Studio")

    def use_case(session: Any) -> int:
        people: dict[int, bool] = {}
        return teams.create(work(session, elsewhere), name="Theirs", people=people).id

    team = db.write(use_case)
    response = owner.post_form(path(automated), **{"text-0-0": "a?", "team-0-0": str(team)})
    assert response.status_code == 400
    with db.read() as session:
        assert session.scalars(sa.select(ButtonAnswer)).all() == []
