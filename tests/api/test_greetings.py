"""Ice breakers by the API: read from the provider, held to the channel's limits, set and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation import buttons
from host.automation.deciding import Answer
from host.channels.accounts import disconnect_account
from host.channels.button_payloads import digest, list_of
from host.core import db
from host.models.channels import ChannelAccount
from host.models.users import AuditEntry
from host.sdk.channel import ProviderProblem
from host.sdk.messages import IceBreaker, MenuItem
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.helpers import do

QUESTIONS = {
    "default": [{"question": "When do you open?", "payload": "hours"}, {"question": "Where are you?"}]
}


@pytest.fixture
def adapter() -> Everything:
    return Everything()


@pytest.fixture
def desk(database: db.Database, data: Path, adapter: Everything) -> ApiDesk:
    return open_api_desk(data, adapter)


def path(desk: ApiDesk) -> str:
    return f"/accounts/{desk.inbox.account.id}/ice-breakers"


def test_they_are_set_and_read_back(desk: ApiDesk, adapter: Everything) -> None:
    assert desk.program.get(path(desk)) == {"locales": {}}
    kept = desk.program.send("PUT", path(desk), {"locales": QUESTIONS})
    assert adapter.kept["default"][1] == IceBreaker("Where are you?", "Where are you?")
    assert kept["locales"]["default"][1] == {"question": "Where are you?", "payload": "Where are you?"}
    assert desk.program.get(path(desk)) == kept
    with db.read() as session:
        line = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert line is not None
    assert (line.action, line.details["by"]) == ("account.ice_breakers_changed", "Shop")


def test_they_are_removed(desk: ApiDesk, adapter: Everything) -> None:
    desk.program.send("PUT", path(desk), {"locales": QUESTIONS})
    answer = desk.program.call("DELETE", path(desk))
    assert (answer.status_code, answer.data) == (204, b"")
    assert adapter.kept == {}


@pytest.mark.parametrize(
    ("locales", "field"),
    [
        ({"default": [{"question": "a"}] * 3}, "locales.default"),
        ({"default": [{"question": "a" * 21}]}, "locales.default[0].question"),
        ({"default": [{"question": "a", "payload": "b" * 31}]}, "locales.default[0].payload"),
        ({"default": [{"question": "   "}]}, "locales.default[0].question"),
        ({"default": [{"question": "a\x07b"}]}, "locales.default[0].question"),
        ({"default": [{"question": "a"}], "german": [{"question": "a"}]}, "locales.german"),
        ({"de_DE": [{"question": "a"}]}, "locales.default"),
    ],
)
def test_what_breaks_a_limit_changes_nothing(
    desk: ApiDesk, adapter: Everything, locales: Any, field: str
) -> None:
    status, error = desk.program.refused("PUT", path(desk), {"locales": locales})
    assert (status, error["field"]) == (422, field)
    assert adapter.kept == {}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_the_provider_says_is_passed_on(desk: ApiDesk, adapter: Everything, method: str) -> None:
    adapter.problem = ProviderProblem("190", "The sign-in has ended.", "Connect again.", "(#190) raw")
    body = {"locales": QUESTIONS} if method == "PUT" else None
    answer = desk.program.call(method, path(desk), body)
    assert answer.status_code == 502
    assert answer.json is not None
    error = answer.json["error"]
    assert (error["code"], error["message"], error["next"]) == (
        "provider_refused",
        "The sign-in has ended.",
        "Connect again.",
    )
    adapter.problem = RuntimeError("secret detail")
    answer = desk.program.call(method, path(desk), body)
    assert answer.status_code == 502
    assert "secret detail" not in answer.text


def test_a_channel_without_them_says_so(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data)
    for method, body in (("GET", None), ("PUT", {"locales": {}}), ("DELETE", None)):
        assert plain.program.refused(method, path(plain), body)[1]["code"] == "not_supported"


def test_a_disconnected_account_is_not_asked(desk: ApiDesk) -> None:
    db.write(disconnect_account, desk.inbox.account.id)
    assert desk.program.refused("GET", path(desk))[1]["code"] == "account_disconnected"


MENU = {
    "default": [
        {"title": "A person", "payload": "person"},
        {"title": "The shop", "url": "https://shop.example/"},
    ]
}


def settings(desk: ApiDesk) -> dict[str, Any]:
    with db.read() as session:
        return session.get_one(ChannelAccount, desk.inbox.account.id).settings


def menu_path(desk: ApiDesk) -> str:
    return f"/accounts/{desk.inbox.account.id}/menu"


def test_the_menu_is_set_read_back_and_removed(desk: ApiDesk, adapter: Everything) -> None:
    assert desk.program.get(menu_path(desk)) == {"locales": {}}
    kept = desk.program.send("PUT", menu_path(desk), {"locales": MENU})
    assert adapter.kept_menu["default"] == (
        MenuItem("A person", "person"),
        MenuItem("The shop", url="https://shop.example/"),
    )
    assert kept["locales"]["default"][0] == {"title": "A person", "payload": "person", "url": ""}
    assert desk.program.get(menu_path(desk)) == kept
    with db.read() as session:
        line = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert line is not None
    assert (line.action, line.details["by"]) == ("account.menu_changed", "Shop")
    assert list_of("person", settings(desk)) == "menu", "a tap on it is named after the menu"
    assert desk.program.call("DELETE", menu_path(desk)).status_code == 204
    assert adapter.kept_menu == {}
    assert list_of("person", settings(desk)) == ""


@pytest.mark.parametrize(
    ("locales", "field"),
    [
        ({"default": [{"title": "a"}] * 3}, "locales.default"),
        ({"default": [{"title": "a" * 21}]}, "locales.default[0].title"),
        ({"default": [{"title": "a", "url": "http://shop.example/"}]}, "locales.default[0].url"),
        ({"default": [{"title": "a", "payload": "b" * 31}]}, "locales.default[0].payload"),
        ({"default": [{"title": "a", "payload": "b", "url": "https://x.example/"}]}, "locales.default[0]"),
        ({"default": [{"title": " "}]}, "locales.default[0].title"),
        ({"de_DE": [{"title": "a"}]}, "locales.default"),
    ],
)
def test_a_menu_that_breaks_a_limit_changes_nothing(
    desk: ApiDesk, adapter: Everything, locales: Any, field: str
) -> None:
    status, error = desk.program.refused("PUT", menu_path(desk), {"locales": locales})
    assert (status, error["code"], error["field"]) == (422, "invalid_menu", field)
    assert adapter.kept_menu == {}


def test_a_channel_without_a_menu_says_so(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data)
    for method, body in (("GET", None), ("PUT", {"locales": {}}), ("DELETE", None)):
        error = plain.program.refused(method, menu_path(plain), body)[1]
        assert (error["code"], error["message"]) == ("not_supported", "This channel has no menu.")


def test_an_account_tells_what_can_be_sent_through_it(desk: ApiDesk) -> None:
    shown = desk.program.get(f"/accounts/{desk.inbox.account.id}")
    (listed,) = desk.program.get("/accounts")["data"]
    assert shown == listed
    can = shown["capabilities"]
    assert can["kinds"] == [
        "audio",
        "buttons",
        "contacts",
        "file",
        "image",
        "location",
        "post",
        "product",
        "sticker",
        "template",
        "text",
        "video",
    ]
    assert can["textLimitBytes"] == 1000
    assert can["files"]["image"] == {"contentTypes": ["image/jpeg", "image/png"], "maxBytes": 2097152}
    quick = {"most": 3, "titleLength": 20, "payloadLength": 100, "asks": ["phone"], "unique": False}
    assert can["quickReplies"] == quick
    limits = {"textLength": 60, "buttons": 2, "titleLength": 20, "payloadLength": 100, "unique": False}
    assert can["buttons"] == limits
    assert can["menu"] == {"most": 2, "titleLength": 20, "payloadLength": 30}
    assert (can["providerFiles"], can["threadControl"]) == (True, True)
    assert (can["typing"], can["markSeen"]) == (True, True)
    assert can["iceBreakers"] == {"most": 2, "questionLength": 20, "payloadLength": 30}
    assert can["reactions"] == []


def test_a_question_that_stays_keeps_its_answer(desk: ApiDesk, adapter: Everything) -> None:
    account = desk.inbox.account.id
    answers = {"hours": Answer("From 9 to 18."), "gone": Answer("Soon.")}
    do(buttons.keep, desk.workspace, account, "ice_breakers", list(answers), answers)
    desk.program.send("PUT", path(desk), {"locales": QUESTIONS})
    with db.read() as session:
        kept = buttons.of_list(session, account, "ice_breakers")
    assert kept == {digest("hours"): Answer("From 9 to 18."), digest("Where are you?"): Answer()}
    desk.program.call("DELETE", path(desk))
    with db.read() as session:
        assert buttons.of_list(session, account, "ice_breakers") == {}
