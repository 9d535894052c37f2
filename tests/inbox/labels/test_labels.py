"""Labels: names, colours, two people at once, deleting and merging, and the settings page."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.events.models import DomainEvent
from host.inbox import names, queries, saved_views
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNameError, LabelNotFoundError
from host.inbox.labels.models import ConversationLabel, Label, LabelTone
from host.inbox.labels.queries import labels_of_conversations
from host.inbox.pages.arguments import Filter
from host.inbox.queries import ConversationFilter
from host.models.inbox import Conversation
from host.models.saved_views import SavedView
from host.models.users import Role
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def anywhere(any_database: db.Database) -> int:
    """A workspace with one conversation, on each kind of database."""
    workspace = toys.make_workspace()
    toys.apply(toys.make_account(workspace), toys.received("Hello"))
    return workspace


def made(workspace: int, name: str, tone: LabelTone = LabelTone.BLUE) -> int:
    return do(labels.create, workspace, name=name, tone=tone).id


def put(
    workspace: int, conversation: int, *, add: tuple[int, ...] = (), remove: tuple[int, ...] = ()
) -> bool:
    return do(labels.set_labels, workspace, conversation, add=add, remove=remove)


def has(conversation: int) -> list[str]:
    with db.read() as session:
        return [one.name for one in labels_of_conversations(session, [conversation]).get(conversation, ())]


def kinds() -> list[str]:
    with db.read() as session:
        query = sa.select(DomainEvent.kind).where(DomainEvent.kind.like("%label%")).order_by(DomainEvent.id)
        return list(session.scalars(query))


def post(browser: helpers.Browser, path: str, fields: dict[str, str] | None = None) -> Any:
    """POST a form and return the page it leads to."""
    data = {"csrf_token": browser.csrf(), **(fields or {})}
    return browser.post(path, data=data, follow_redirects=True)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  order \t  late ", "order late"),
        ("VIP 💎", "VIP 💎"),
        ("شكوى", "شكوى"),
        ("a\u202eb", "ab"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_name_is_kept_on_one_line(typed: str, kept: str) -> None:
    assert names.checked(typed, LabelNameError()) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\u200b\u200f", "\x00", "x" * 41, "n" * 300, "\u3000"])
def test_a_name_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(LabelNameError):
        names.checked(typed, LabelNameError())


@pytest.mark.parametrize(
    ("one", "other"), [("Order", "ORDER"), ("Straße", "STRASSE"), ("ﬁne", "FINE"), ("É", "é")]
)
def test_one_name_makes_one_label_on_every_database(anywhere: int, one: str, other: str) -> None:
    made(anywhere, one)
    with pytest.raises(LabelNameError):
        made(anywhere, other)
    made(anywhere, "e")
    made(anywhere, "ë")  # another letter, whatever the database's collation says


def test_labels_are_put_on_once_and_told(anywhere: int) -> None:
    conversation = toys.only(Conversation).id
    order, late = made(anywhere, "order"), made(anywhere, "late")
    assert put(anywhere, conversation, add=(order, late))
    assert not put(anywhere, conversation, add=(order,))
    assert has(conversation) == ["late", "order"]
    assert put(anywhere, conversation, remove=(order,))
    assert not put(anywhere, conversation, remove=(order,))
    assert kinds() == ["conversation.labelled"] * 2 + ["conversation.unlabelled"]
    with pytest.raises(LabelNotFoundError):
        put(anywhere, conversation, add=(made(toys.make_workspace(), "theirs"),))


def test_two_people_who_label_at_once_label_once(anywhere: int) -> None:
    conversation, order = toys.only(Conversation).id, made(anywhere, "order")
    ready, results = threading.Barrier(4), []

    def label() -> None:
        ready.wait()
        results.append(put(anywhere, conversation, add=(order,)))

    threads = [threading.Thread(target=label) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    assert (has(conversation), kinds()) == (["order"], ["conversation.labelled"])


def test_the_filter_asks_for_any_each_or_none(anywhere: int) -> None:
    first = toys.only(Conversation).id
    order, late = made(anywhere, "order"), made(anywhere, "late")
    put(anywhere, first, add=(order,))

    def found(**values: Any) -> bool:
        with db.read() as session:
            listed = queries.list_conversations(session, anywhere, None, ConversationFilter(**values)).rows
            counted = queries.count_each(session, anywhere, 0, [ConversationFilter(**values)], 9)
        assert counted == [len(listed)]
        return bool(listed)

    assert found(labels=frozenset({order, late}))
    assert not found(labels=frozenset({late}))
    assert not found(all_labels=frozenset({order, late}))
    assert found(all_labels=frozenset({order}))
    assert found(no_labels=frozenset({late}))
    assert not found(no_labels=frozenset({order, late}))


def test_merging_keeps_each_conversation_labelled_once(anywhere: int) -> None:
    conversation = toys.only(Conversation).id
    old, new = made(anywhere, "orders"), made(anywhere, "order")
    put(anywhere, conversation, add=(old, new))
    view = do(
        saved_views.create, anywhere, owner_id=None, name="Orders", shows=Filter(labels=frozenset({old}))
    )
    do(labels.merge, anywhere, old, into_id=new)
    assert has(conversation) == ["order"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ConversationLabel)) == 1
    with db.read() as session:
        assert saved_views.get(session, anywhere, view.id, None).condition["labels"] == [new]
    do(labels.delete, anywhere, new)
    assert (has(conversation), toys.everything(Label)) == ([], [])
    assert kinds()[-2:] == ["label.deleted"] * 2


def test_a_view_says_what_it_names_that_is_gone(anywhere: int) -> None:
    gone = toys.make_user(toys.make_workspace("Other"))
    stays = toys.make_user(anywhere)
    label = made(anywhere, "orders")

    def said(**named: Any) -> int:
        with db.read() as session:
            return len(saved_views.missing(session, anywhere, Filter(**named)))

    assert said(assignee=stays, labels=frozenset({label})) == 0
    assert said(assignee=gone) == said(no_labels=frozenset({label + 1})) == 1
    assert said(assignee=gone, labels=frozenset({label, label + 1})) == 2


def test_a_view_of_a_later_lobby_finds_nothing_and_says_so(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana", "hi", scene.ago(hours=1))
    inbox = f"/w/{desk.workspace}/inbox"
    view = do(saved_views.create, desk.workspace, owner_id=None, name="Sad ones", shows=Filter())
    for condition, shown in (
        ({"status": "open"}, True),
        ({"status": "open", "mood": "bad"}, False),
        ({"status": "purple"}, False),
    ):
        db.write(
            lambda session, id_, said: setattr(session.get(SavedView, id_), "condition", said),
            view.id,
            condition,
        )
        views = desk.browser.get(f"{inbox}/views").text
        there = re.search(r'<a class="link" href="([^"]+)"><bdi translate="no">Sad ones', views)
        assert there is not None
        page = desk.browser.get(there[1].replace("&amp;", "&")).text
        assert ('data-name="Ana"' in page) is shown
        for said in (views, page):
            assert ("This view has an unknown filter, so it is empty." in said) is not shown


# The pages


def test_an_agent_labels_and_a_lead_keeps_the_labels(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    page = f"/w/{desk.workspace}/settings/labels"
    assert desk.browser.get(page).status_code == 403
    post(lead, page, {"name": "order <b>", "tone": "orange"})
    refused = post(lead, page, {"name": "ORDER <b>", "tone": "red"})
    assert refused.status_code == 400
    assert "A label with that name already exists" in refused.text
    label = toys.only(Label)
    at = desk.path(f"/{scene.conversation('ana')}")
    post(desk.browser, f"{at}/labels", {"add": str(label.id)})
    shown = desk.browser.get(at).text
    assert '<span class="lbl lbl-orange"><bdi translate="no">order &lt;b&gt;</bdi></span>' in shown
    assert "Mia R. added order &lt;b&gt;" in shown
    assert "1 conversation" in lead.get(page).text
    post(lead, f"{page}/{label.id}", {"name": "orders", "tone": "teal"})
    assert '<span class="lbl lbl-teal"><bdi translate="no">orders</bdi></span>' in desk.browser.get(at).text
    assert "data-row" in desk.browser.get(desk.path(f"?label={label.id}")).text
    post(lead, f"{page}/{label.id}/delete", {"into": ""})
    assert "lbl-teal" not in desk.browser.get(at).text
    gone = desk.browser.get(desk.path(f"?label={label.id}")).text
    assert "A label in this view’s filter was deleted." in gone
    assert "data-row" not in gone


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_every_colour_can_be_read_in_both_themes() -> None:
    css = Path("host/static/labels.css").read_text()
    for tone in LabelTone:
        grounds = re.findall(rf"--l-{tone}: (#\w+); --l-{tone}-ink: (#\w+);", css)
        assert len(grounds) == 2, tone
        assert all(contrast(*pair) >= 4.5 for pair in grounds), tone
        assert f".lbl-{tone} {{" in css
