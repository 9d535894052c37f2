"""Settings of one account: what customers see, ice breakers, the menu."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import button_payloads
from host.core import db
from host.models.channels import AccountState, ChannelAccount
from host.models.users import AuditEntry
from host.sdk.channel import Capabilities, ProviderProblem
from host.sdk.messages import IceBreaker, MenuItem
from tests.channels.conftest import Desk

BUSY = ProviderProblem("4", "Toy has too much to do.", "Try again in an hour.")


@pytest.fixture
def account(desk: Desk) -> str:
    """The address of an account's settings."""
    return f"{desk.path}/accounts/{desk.connect().id}"


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def settings() -> dict[str, Any]:
    with db.read() as session:
        return session.scalars(sa.select(ChannelAccount.settings)).one()


def actions() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def value(page: str, name: str) -> str:
    match = re.search(rf'<input[^>]*\bname="{name}"[^>]*\bvalue="([^"]*)"', page)
    assert match, f"no input {name}"
    return html.unescape(match.group(1))


def checked(page: str, name: str) -> bool:
    match = re.search(rf'<input[^>]*\bname="{name}"[^>]*>', page)
    assert match, f"no switch {name}"
    return "checked" in match.group()


# ---- what customers and the team see


def test_nobody_is_told_that_we_have_read_unless_somebody_chose_it(desk: Desk, account: str) -> None:
    page = text(desk.client().get(f"{account}/messages"))
    assert not checked(page, "mark_seen")
    assert checked(page, "show_seen")
    assert checked(page, "typing")
    assert 'value="split" selected' in page


def test_what_was_chosen_is_kept_and_shown(desk: Desk, account: str) -> None:
    client = desk.client()
    answer = client.post_form(f"{account}/messages", mark_seen="1", overflow="truncate")
    assert answer.status_code == 303
    assert settings() == {"mark_seen": True, "show_seen": False, "typing": False, "overflow": "truncate"}
    page = text(client.get(f"{account}/messages"))
    assert checked(page, "mark_seen")
    assert not checked(page, "show_seen")
    assert not checked(page, "typing")
    assert 'value="truncate" selected' in page
    assert actions()[-1] == "account.messages_changed"


def test_odd_values_are_taken_for_the_default(desk: Desk, account: str) -> None:
    desk.client().post_form(f"{account}/messages", overflow="x" * 5000)
    assert settings()["overflow"] == "split"


def test_the_card_leads_there(desk: Desk, account: str) -> None:
    assert f'href="{account}/messages"' in text(desk.client().get(desk.path))
    assert f'href="{account}/ice-breakers"' in text(desk.client().get(f"{account}/messages"))


def test_a_channel_offers_only_what_it_declares(
    desk: Desk, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = desk.client()
    monkeypatch.setattr(desk.adapter, "capabilities", Capabilities(typing=True), raising=False)
    page = text(client.get(f"{account}/messages"))
    assert 'name="mark_seen"' not in page
    assert 'name="overflow"' not in page
    assert client.get(f"{account}/menu").status_code == 404
    client.post_form(f"{account}/messages", mark_seen="1", overflow="truncate")
    assert settings() == {"typing": False}
    monkeypatch.setattr(desk.adapter, "capabilities", Capabilities(), raising=False)
    page = text(client.get(f"{account}/messages"))  # what every channel has
    assert 'name="typing"' not in page
    client.post_form(f"{account}/messages", reply_target="60")
    assert '<option value="60" selected>1 h</option>' in text(client.get(f"{account}/messages"))
    assert client.post_form(f"{account}/messages", reply_target="soon").status_code == 400
    assert client.post_form(f"{account}/messages", reply_target="99999").status_code == 400
    client.post_form(f"{account}/messages", reply_target="")
    assert '<option value="60" selected>' not in text(client.get(f"{account}/messages"))


def test_a_disconnected_account_has_no_such_pages(desk: Desk, account: str) -> None:
    client = desk.client()
    client.post_form(f"{account}/disconnect")
    for page in ("messages", "ice-breakers", "menu"):
        assert client.get(f"{account}/{page}").status_code == 404
        assert client.post_form(f"{account}/{page}").status_code == 404
    assert desk.without_addon().get(f"{account}/messages").status_code == 404


# ---- ice breakers


def test_ice_breakers_are_saved_to_the_provider_and_read_back(desk: Desk, account: str) -> None:
    client = desk.client()
    page = text(client.get(f"{account}/ice-breakers"))
    assert "Toy currently shows none." in page
    assert value(page, "text-0-0") == ""
    answer = client.post_form(
        f"{account}/ice-breakers",
        **{
            "text-0-0": " Where are you? ",
            "value-0-0": "LOCATION",
            "text-0-1": "Do you ship?",
            "locale-1": "de_DE",
            "text-1-1": "Wo seid ihr?",
        },
    )
    assert answer.status_code == 303
    assert desk.adapter.questions == {
        "default": (IceBreaker("Where are you?", "LOCATION"), IceBreaker("Do you ship?", "Do you ship?")),
        "de_DE": (IceBreaker("Wo seid ihr?", "Wo seid ihr?"),),
    }
    page = text(client.get(f"{account}/ice-breakers"))
    assert "Saved. Toy now shows 3." in page
    assert value(page, "text-0-0") == "Where are you?"
    assert value(page, "value-0-0") == "LOCATION"
    assert value(page, "value-0-1") == ""  # the question itself
    assert value(page, "locale-1") == "de_DE"
    assert value(page, "text-1-0") == "Wo seid ihr?"
    assert actions()[-1] == "account.ice_breakers_changed"
    with db.read() as session:
        settings = session.scalars(sa.select(ChannelAccount.settings)).one()
    assert (
        button_payloads.list_of("LOCATION", settings)
        == button_payloads.list_of("Do you ship?", settings)
        == "ice_breakers"
    )
    assert button_payloads.list_of("ELSEWHERE", settings) == ""


def test_an_empty_form_takes_all_of_them_away(desk: Desk, account: str) -> None:
    desk.adapter.questions = {"default": (IceBreaker("Hi?", "HI"),)}
    client = desk.client()
    assert client.post_form(f"{account}/ice-breakers").status_code == 303
    assert desk.adapter.questions == {}
    assert "Saved. Toy now shows none." in text(client.get(f"{account}/ice-breakers"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text-0-0": "x" * 21}, "21 characters. The limit is 20."),
        ({"value-0-0": "PAYLOAD"}, "Enter the question, or clear this line."),
        ({"text-0-0": "a", "value-0-0": "x" * 31}, "31 characters. The limit is 30."),
        ({"text-0-0": "a", "text-0-1": "b", "text-0-2": "c"}, "You can add at most 2."),
        (
            {"text-0-0": "a", "locale-1": "German", "text-1-0": "b"},
            "Enter a language and country, such as de_DE",
        ),
        ({"text-0-0": "a", "locale-1": "de_DE", "locale-2": "de_DE"}, "This language already has a list."),
        ({"locale-1": "de_DE", "text-1-0": "b"}, "Fill in the first list too"),
        ({"text-0-0": "a\x1b[31m"}, "This contains invalid characters."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    desk: Desk, account: str, fields: dict[str, str], sentence: str
) -> None:
    before = {"default": (IceBreaker("Before?", "BEFORE"),)}
    desk.adapter.questions = before
    answer = desk.client().post_form(f"{account}/ice-breakers", **fields)
    page = text(answer)
    assert answer.status_code == 400
    assert "Not saved." in page
    assert sentence in page
    for name, typed in fields.items():
        assert value(page, name) == typed
    assert desk.adapter.questions == before


def test_a_language_is_added_and_removed_without_saving(desk: Desk, account: str) -> None:
    client = desk.client()
    page = text(client.post_form(f"{account}/ice-breakers", **{"text-0-0": "Hi?", "add": "1"}))
    assert value(page, "text-0-0") == "Hi?"
    assert value(page, "locale-1") == ""
    fields = {"text-0-0": "Hi?", "locale-1": "de_DE", "text-1-0": "Hallo?", "remove": "1"}
    page = text(client.post_form(f"{account}/ice-breakers", **fields))
    assert value(page, "text-0-0") == "Hi?"
    assert 'name="locale-1"' not in page
    for odd in ("0", "-1", "99", "x", "9" * 400):
        assert client.post_form(f"{account}/ice-breakers", **(fields | {"remove": odd})).status_code == 200
    assert desk.adapter.questions == {}


def test_more_than_may_be_is_shown_so_that_it_can_be_shortened(desk: Desk, account: str) -> None:
    desk.adapter.questions = {"default": tuple(IceBreaker(f"Q{n}?", f"Q{n}") for n in range(5))}
    page = text(desk.client().get(f"{account}/ice-breakers"))
    assert value(page, "text-0-4") == "Q4?"


@pytest.mark.parametrize("problem", [BUSY, RuntimeError("boom")])
def test_a_provider_that_refuses_is_quoted_and_what_was_typed_stays(
    desk: Desk, account: str, problem: ProviderProblem | Exception
) -> None:
    client = desk.client()
    desk.adapter.problem = problem
    said = BUSY.sentence if problem is BUSY else "The addon of this channel failed"
    page = text(client.get(f"{account}/ice-breakers"))
    assert "The current list on Toy could not be read." in page
    assert said in page
    assert 'name="text-0-0"' not in page  # saving would replace what nobody could see
    answer = client.post_form(f"{account}/ice-breakers", **{"text-0-0": "Hi?"})
    assert answer.status_code == 422
    assert said in text(answer)
    assert value(text(answer), "text-0-0") == "Hi?"
    assert "account.ice_breakers_changed" not in actions()


# ---- the menu


def test_the_menu_is_saved_to_the_provider_and_read_back(desk: Desk, account: str) -> None:
    client = desk.client()
    answer = client.post_form(
        f"{account}/menu",
        **{
            "text-0-0": "Help",
            "does-0-0": "payload",
            "value-0-0": "HELP",
            "text-0-1": "Shop",
            "does-0-1": "url",
            "value-0-1": "https://shop.example.com/",
        },
    )
    assert answer.status_code == 303
    assert desk.adapter.items == {
        "default": (MenuItem("Help", payload="HELP"), MenuItem("Shop", url="https://shop.example.com/"))
    }
    page = text(client.get(f"{account}/menu"))
    assert value(page, "value-0-1") == "https://shop.example.com/"
    assert 'value="url" selected' in page
    assert actions()[-1] == "account.menu_changed"


@pytest.mark.parametrize(
    "address", ["", "shop.example.com", "http://shop.example.com", "https://a b", "https://" + "x" * 80]
)
def test_a_page_of_the_menu_needs_an_address(desk: Desk, account: str, address: str) -> None:
    fields = {"text-0-0": "Shop", "does-0-0": "url", "value-0-0": address}
    answer = desk.client().post_form(f"{account}/menu", **fields)
    assert answer.status_code == 400
    assert "that starts with https://" in text(answer)
    assert desk.adapter.items == {}


def test_waiting_for_a_reconnect_it_can_still_be_set(desk: Desk, account: str) -> None:
    def use_case(session: Any) -> None:
        session.scalars(sa.select(ChannelAccount)).one().state = AccountState.NEEDS_RECONNECT

    db.write(use_case)
    assert desk.client().post_form(f"{account}/messages", mark_seen="1").status_code == 303
    assert settings()["mark_seen"] is True
