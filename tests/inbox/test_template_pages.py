"""The picker of approved templates on the page: what it lists, what it warns of, and sending."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.channels import listed_pages
from host.core import clock, db, storage
from host.core.backports.values import replace
from host.delivery import results
from host.inbox import approved_fetching
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, Message
from host.sdk.channel import ApprovalState, ProviderProblem, Rejected, ReplyPolicy, ReplyState
from host.sdk.messages import MessageKind
from tests import helpers
from tests.inbox import toys
from tests.inbox.approving import APPROVING, ORDER
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import WINDOWED, apply, received
from tests.media import samples

KEY = "0123456789abcdef"
JSON = {"Accept": "application/json"}
OFFERED = "Choose a template"


@pytest.fixture
def desk(database: db.Database, data: Path, tmp_path: Path) -> Iterator[Desk]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    opened = open_desk(data, APPROVING)
    apply(opened.account, received("Is it in stock?", contact_name="Zoe K."), adapter=APPROVING)
    yield opened
    APPROVING.reset()
    approved_fetching.forget_pages()


def path(desk: Desk, rest: str = "") -> str:
    return desk.path(f"/{toys.only(Conversation).id}{rest}")


def page(desk: Desk, rest: str = "") -> str:
    answer = desk.browser.get(path(desk, rest))
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def send(desk: Desk, **fields: Any) -> Any:
    headers = fields.pop("headers", JSON)
    fields = {"reply_key": KEY, "template": "order-en", "csrf_token": desk.browser.csrf(), **fields}
    return desk.browser.post(path(desk, "/templates"), data=fields, headers=headers)


FILLED = {"parameter.first_name": "Zoe", "parameter.order": "B-9"}


def ours() -> list[Message]:
    return [message for message in toys.thread() if message.direction == "outbound"]


def test_the_closed_composer_offers_templates_and_so_do_the_tools(desk: Desk) -> None:
    shown = page(desk)
    assert 'data-state="closed"' in shown
    assert len(re.findall(r"data-templates-open=", shown)) == 1
    assert OFFERED in shown
    toys.change_row(Conversation, toys.only(Conversation).id, last_inbound_at=clock.now())
    shown = page(desk)
    assert 'data-state="open"' in shown
    assert 'data-tool="templates"' in shown
    assert len(re.findall(r"data-templates-open=", shown)) == 1
    assert APPROVING.asked == [], "the page itself asks nobody"


@pytest.mark.parametrize("why", ["policy", "unreachable", "disconnected"])
def test_where_none_can_be_sent_none_is_offered(
    desk: Desk, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "policy":
        closed = ReplyPolicy(ReplyState.CLOSED, sentence="Not now.")
        monkeypatch.setattr(type(APPROVING), "approved_policy", lambda *_: closed)
    elif why == "disconnected":
        toys.change_row(ChannelAccount, desk.account.id, state=AccountState.DISCONNECTED)
    else:
        identity = toys.only(Conversation).identity_id
        toys.change_row(ContactIdentity, identity, unreachable_since=clock.now())
    assert OFFERED not in page(desk)


def test_where_only_templates_arrive_they_are_offered_and_sent(desk: Desk) -> None:
    identity = toys.only(Conversation).identity_id
    refused = Rejected(
        ProviderProblem("7", "Too late.", "Send a template."), whole_contact=True, templates=True
    )
    toys.change_row(Conversation, toys.only(Conversation).id, last_inbound_at=clock.now())
    db.write(results.note_out_of_reach, identity, refused)
    shown = page(desk)
    assert "Too late." in shown
    assert 'data-tool="templates"' not in shown, "the composer is closed"
    assert OFFERED in shown
    assert send(desk, **FILLED).status_code == 200
    (message,) = ours()
    assert (message.kind, message.state) == ("approved_template", "queued")


def test_a_channel_without_templates_has_no_picker(database: db.Database, data: Path) -> None:
    desk = open_desk(data, WINDOWED)
    apply(desk.account, received("Hello"), adapter=WINDOWED)
    assert OFFERED not in page(desk)
    for rest in ("/templates", "/templates/list"):
        assert desk.browser.get(path(desk, rest)).status_code == 404
    assert send(desk).status_code == 404


def test_the_list_has_a_page_with_forms_and_the_address_of_the_next(desk: Desk) -> None:
    assert "All languages" in page(desk, "/templates")
    assert APPROVING.asked == []
    first = page(desk, "/templates/list")
    assert re.findall(r'data-language="([^"]*)"', first) == ["English", "German"]
    assert 'value="Zoe"' in first, "the customer's first name is prefilled"
    assert "Example: A-17" in first
    assert "4 cents" in first
    assert first.count('type="submit"') == 2
    (more,) = re.findall(r'data-templates-next="([^"]+)"', first)
    second = str(desk.browser.get(more.replace("&amp;", "&")).get_data(as_text=True))
    assert re.findall(r'data-state="([^"]*)"', second) == ["approved", "paused"]
    assert "Too many people blocked the account after it." in second
    assert second.count('type="submit"') == 1, "a paused one is shown, not sent"
    assert 'accept="image/jpeg,image/png,.jpg,.jpeg,.png"' in second
    last = page(desk, "/templates/list?after=4")
    assert "The provider rejected it." in last
    assert re.findall(r'data-templates-next="([^"]*)"', last) == [""]


def test_a_list_that_cannot_be_loaded_says_why(desk: Desk) -> None:
    APPROVING.problem = ProviderProblem("190", "The sign-in has expired.", "Reconnect the account.")
    shown = page(desk, "/templates/list?after=2")
    assert "The sign-in has expired." in shown
    assert "Reconnect the account." in shown
    assert "/templates/list?after=2" in shown


def test_whoever_opted_out_is_named_before_sending(desk: Desk) -> None:
    warning = "This person opted out"
    for rest in ("/templates", "/templates/list"):
        assert warning not in page(desk, rest)
    stopped = {"opt_in": {"title": "Offers", "state": "stopped"}}
    apply(desk.account, received("", at=5, kind=MessageKind.OPT_IN, content=stopped), adapter=APPROVING)
    for rest in ("/templates", "/templates/list"):
        assert "opted out of “Offers”" in page(desk, rest)
    resumed = {"opt_in": {"title": "Offers", "state": "resumed"}}
    apply(desk.account, received("", at=6, kind=MessageKind.OPT_IN, content=resumed), adapter=APPROVING)
    assert warning not in page(desk, "/templates")
    toys.change_row(Contact, toys.only(Conversation).contact_id, opted_out_at=clock.now())
    assert "opted out of automated messages" in page(desk, "/templates")
    assert page(desk, "/templates/list").count("This template is promotional") == 1


def test_a_filled_in_template_stands_in_the_thread(desk: Desk) -> None:
    answer = send(desk, **FILLED)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    (message,) = ours()
    assert (message.state, message.text) == ("queued", "Hello Zoe, your order B-9 is on its way.")
    assert message.author_id == desk.mia.id
    shown = answer.json["messages"]
    for words in ("Order B-9", "Hello Zoe, your order B-9", "Reply STOP to opt out.", "Track it", "Thanks"):
        assert words in shown
    assert shown.count("Track it") == 1
    assert 'href="https://toy.example/track/B-9"' in shown
    assert send(desk, **FILLED).json["ids"] == [message.id], "once more sends nothing twice"
    assert len(ours()) == 1


def test_without_scripts_it_goes_back_to_the_conversation(desk: Desk) -> None:
    assert send(desk, headers={}, **FILLED).status_code == 303
    assert len(ours()) == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"parameter.first_name": "Zoe"}, 422, "template_parameter"),
        ({**FILLED, "parameter.x": "1"}, 422, "template_parameter_unknown"),
        ({"template": "old-en"}, 409, "template_not_approved"),
        ({"template": "no"}, 502, "templates_not_listed"),
        ({"template": ""}, 404, "template_not_found"),
        ({"template": "catalog-en"}, 422, "template_file"),
    ],
)
def test_what_is_refused_says_why(desk: Desk, fields: dict[str, str], status: int, code: str) -> None:
    answer = send(desk, **fields)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"]
    assert ours() == []


def test_one_paused_since_it_was_chosen_is_refused_with_the_reason(desk: Desk) -> None:
    page(desk, "/templates/list")
    APPROVING.templates[0] = replace(ORDER, state=ApprovalState.PAUSED, sentence="Too many complaints.")
    with clock.travel(listed_pages.KEPT):
        answer = send(desk, **FILLED)
    assert (answer.status_code, answer.json["error"]["message"]) == (409, "Too many complaints.")


def test_a_picture_is_sent_above_the_text(desk: Desk) -> None:
    picture = io.BytesIO(samples.picture("PNG")), "mug.png"
    answer = send(desk, template="catalog-en", file=picture)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert "Our new mugs." in answer.json["messages"]
    assert "<img" in answer.json["messages"]


def test_an_answer_given_meanwhile_is_shown_first(desk: Desk) -> None:
    seen = toys.thread()[-1].id
    assert send(desk, **FILLED, seen=str(seen)).status_code == 200
    tom = helpers.make_user(name="Tom T.", workspace=desk.workspace)
    browser = helpers.client_for(desk.app, tom)
    fields = {**FILLED, "template": "order-en", "reply_key": KEY[::-1], "seen": str(seen)}
    answer = browser.post(
        path(desk, "/templates"), data={"csrf_token": browser.csrf(), **fields}, headers=JSON
    )
    assert answer.json["error"]["code"] == "answered_meanwhile"
    assert "Hello Zoe" in answer.json["error"]["newer"]
