"""Contacts: the list, the page, details and notes, opt-out, blocks, the export, and who may do what."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.events.models import ActorKind, DomainEvent
from host.inbox.contacts import attributes, consent, details, export, finding, people
from host.inbox.contacts.finding import ContactFilter, Sort
from host.inbox.contacts.models import AttributeKind, ContactAttribute, ContactEntry, ContactValue
from host.inbox.contacts.pages import list_export
from host.inbox.errors import (
    AttributeNameError,
    AttributeNotFoundError,
    ContactFieldError,
    ContactNotFoundError,
    EmptyTextError,
    NotAllTheirsError,
)
from host.inbox.labels.models import ConversationLabel, Label, LabelTone
from host.models.inbox import Attachment, Contact, ContactIdentity, Conversation, Message
from host.models.users import AuditEntry, Role
from host.sdk.channel import AccountRef, Capabilities, ProviderProblem
from host.sdk.messages import InboundAttachment, MessageKind
from host.search import documents
from host.users.actor import Actor
from tests import helpers
from tests.helpers import acting, do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


class Blocking(toys.Windowed):
    """A toy whose provider blocks people, unless it is told not to."""

    capabilities: ClassVar[Capabilities] = Capabilities(text_limit_bytes=1000, blocks=True)

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.refuses = False

    def block(self, account: AccountRef, contact: str, on: bool) -> ProviderProblem | None:
        self.asked.append((contact, on))
        return ProviderProblem("10", "They share an account with you.", "") if self.refuses else None


@pytest.fixture
def adapter() -> Blocking:
    return Blocking()


@pytest.fixture
def desk(database: db.Database, data: Path, adapter: Blocking) -> Desk:
    return open_desk(data, adapter)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    made = Scene(desk)
    made.said("rosa.sample", "Rosa S.", "The lid arrived cracked", made.ago(hours=2))
    made.said("jon.b", "Jon B.", "Invoice, second try", made.ago(hours=30))
    return made


def contact_of(scene: Scene, name: str) -> int:
    with db.read() as session:
        return session.get_one(Conversation, scene.conversation(name)).contact_id


def page_of(desk: Desk, contact: int, rest: str = "") -> str:
    return f"/w/{desk.workspace}/contacts/{contact}{rest}"


def post(desk: Desk, path: str, browser: helpers.Browser | None = None, **fields: str) -> Any:
    browser = browser or desk.browser
    return browser.post(path, data={"csrf_token": browser.csrf(), **fields}, follow_redirects=True)


def change(desk: Desk, contact: int, **changes: str | None) -> None:
    named = {name.replace("attribute_", "attribute:"): value for name, value in changes.items()}
    do(details.change, desk.workspace, contact, named, actor=Actor(ActorKind.USER, desk.mia.id))


def row(contact: int) -> Contact:
    with db.read() as session:
        return session.get_one(Contact, contact)


def run(statement: Any, *values: Any) -> None:
    def use_case(session: Session) -> None:
        session.execute(statement, *values)

    db.write(use_case)


def cost(desk: Desk, database: db.Database, path: str) -> int:
    """Return how many statements a page takes."""
    with toys.Statements(database) as asked:
        assert desk.browser.get(path).status_code == 200
    return len(asked.seen)


def recorded(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    with db.read() as session:
        query = sa.select(DomainEvent.kind, DomainEvent.data).where(DomainEvent.kind.like("contact.%"))
        rows = session.execute(query.order_by(DomainEvent.id)).all()
    return [(kind, json.loads(facts or "{}")) for kind, facts in rows if not kinds or kind in kinds]


def attribute(desk: Desk, name: str, kind: AttributeKind = AttributeKind.TEXT, *choices: str) -> int:
    return do(attributes.create, desk.workspace, name=name, kind=kind, choices=choices).id


# ---- details ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        (AttributeKind.TEXT, "  Sage \n green ", "Sage green"),
        (AttributeKind.NUMBER, "9,5", "9.5"),
        (AttributeKind.NUMBER, "001042", "1042"),
        (AttributeKind.NUMBER, "a lot", None),
        (AttributeKind.NUMBER, "1e400", None),
        (AttributeKind.DATE, "2026-11-20", "2026-11-20"),
        (AttributeKind.DATE, "20.11.2026", None),
        (AttributeKind.YES_NO, "Yes", "yes"),
        (AttributeKind.YES_NO, "maybe", None),
        (AttributeKind.CHOICE, "Sage", "Sage"),
        (AttributeKind.CHOICE, "Tide", None),
        (AttributeKind.TEXT, "x" * 251, None),
    ],
)
def test_a_value_is_of_its_kind(
    desk: Desk, scene: Scene, kind: AttributeKind, typed: str, kept: str | None
) -> None:
    id_, rosa = attribute(desk, "Glaze", kind, "Sage", "Ash"), contact_of(scene, "rosa.sample")
    if kept is None:
        with pytest.raises(ContactFieldError):
            change(desk, rosa, **{f"attribute_{id_}": typed})
    else:
        change(desk, rosa, **{f"attribute_{id_}": typed})
    with db.read() as session:
        assert attributes.values_of(session, [rosa]) == ({rosa: {id_: kept}} if kept else {})


def test_details_are_changed_all_or_none_and_written_down(desk: Desk, scene: Scene) -> None:
    rosa, glaze = contact_of(scene, "rosa.sample"), attribute(desk, "Glaze")
    change(desk, rosa, **{"name": "Rosa Clay", f"attribute_{glaze}": "Sage"})
    change(desk, rosa, name="Rosa Clay")
    for bad in ({"name": "Other", "email": "not an address"}, {"name": "Other", "height": "2"}):
        with pytest.raises(ContactFieldError):
            change(desk, rosa, **bad)
    with pytest.raises(AttributeNotFoundError):
        change(desk, rosa, attribute_987654="x")
    assert row(rosa).name == "Rosa Clay"
    change(desk, rosa, **{f"attribute_{glaze}": ""})
    with db.read() as session:
        assert attributes.values_of(session, [rosa]) == {}
        entries = session.scalars(sa.select(ContactEntry).order_by(ContactEntry.id)).all()
    assert [(one.content["before"], one.content["after"]) for one in entries] == [
        ("Rosa S.", "Rosa Clay"),
        ("", "Sage"),
        ("Sage", ""),
    ]
    assert [facts.get("field") for _, facts in recorded()] == ["name", "attribute", "attribute"]
    assert "Sage" not in str(recorded())


def test_a_name_that_the_team_gave_stays(desk: Desk, scene: Scene) -> None:
    rosa = contact_of(scene, "rosa.sample")
    change(desk, rosa, name="Rosa Clay")
    scene.said("rosa.sample", "Somebody Else", "Hello again", scene.now)
    assert row(rosa).name == "Rosa Clay"
    assert "Rosa Clay" in desk.browser.get(desk.path()).text


def test_the_page_keeps_what_could_not_be_saved(desk: Desk, scene: Scene) -> None:
    rosa = contact_of(scene, "rosa.sample")
    answer = post(desk, page_of(desk, rosa, "/details"), field="email", value="rosa at home")
    assert answer.status_code == 400
    assert "That is not a valid email address" in answer.text
    assert 'value="rosa at home"' in answer.text
    shown = post(desk, page_of(desk, rosa, "/details"), field="email", value="rosa@example.com").text
    assert "rosa@example.com" in shown
    assert row(rosa).email == "rosa@example.com"


def test_attributes_have_names_of_their_own_and_an_end(desk: Desk, scene: Scene) -> None:
    rosa, glaze = contact_of(scene, "rosa.sample"), attribute(desk, "Glaze")
    for name in ("", "GLAZE", "x" * 41):
        with pytest.raises(AttributeNameError):
            attribute(desk, name)
    with pytest.raises(AttributeNameError):
        attribute(desk, "Size", AttributeKind.CHOICE, "", "  ")
    change(desk, rosa, **{f"attribute_{glaze}": "Sage"})
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    settings = f"/w/{desk.workspace}/settings/attributes"
    assert "1 contact" in lead.get(settings).text
    assert "already" in post(desk, settings, lead, name="glaze", kind="text").text
    shown = post(desk, settings, lead, name="Size", kind="choice", choices="S\nM\nL").text
    assert "Attribute “Size” created." in shown
    assert "Colour" in post(desk, f"{settings}/{glaze}", lead, name="Colour").text
    post(desk, f"{settings}/{glaze}/delete", lead)
    with db.read() as session:
        assert [one.name for one in attributes.all_of(session, desk.workspace)] == ["Size"]
        assert attributes.values_of(session, [rosa]) == {}
        actions = session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-3:] == ["attribute.added", "attribute.changed", "attribute.deleted"]
    agent = helpers.client_for(desk.app, helpers.make_user("a@example.com", workspace=desk.workspace))
    assert agent.get(settings).status_code == 403


def test_notes_about_a_contact_stand_on_their_page_until_somebody_deletes_them(
    desk: Desk, scene: Scene
) -> None:
    rosa = contact_of(scene, "rosa.sample")
    assert (
        "Rings the bell twice" in post(desk, page_of(desk, rosa, "/notes"), text="Rings the bell twice").text
    )
    empty = post(desk, page_of(desk, rosa, "/notes"), text="  ")
    assert (empty.status_code, "The note is empty" in empty.text) == (400, True)
    with db.read() as session:
        (note,) = session.scalars(sa.select(ContactEntry.id)).all()
    jon = contact_of(scene, "jon.b")
    post(desk, page_of(desk, jon, f"/notes/{note}/delete"))
    assert "Rings the bell" in desk.browser.get(page_of(desk, rosa)).text, "it is none of Jon's"
    assert "Rings the bell" not in post(desk, page_of(desk, rosa, f"/notes/{note}/delete")).text
    with pytest.raises(EmptyTextError):
        do(details.add_note, desk.workspace, rosa, "")


# ---- opt-out and blocks -------------------------------------------------------------------------------


def test_an_opt_out_says_when_how_and_by_whom_and_programs_obey_it(desk: Desk, scene: Scene) -> None:
    rosa = contact_of(scene, "rosa.sample")
    assert row(rosa).accepts_automatic
    shown = post(desk, page_of(desk, rosa, "/opt-out"), source="wrote “stop”").text
    assert "Automated messages: opted out" in shown
    assert "wrote “stop”" in shown
    assert "Mia R." in shown
    post(desk, page_of(desk, rosa, "/opt-out"), source="again")
    assert row(rosa).opted_out_source == "wrote “stop”", "the first time counts"
    assert not row(rosa).accepts_automatic
    assert "Opted out" in desk.browser.get(desk.path(f"/{scene.conversation('rosa.sample')}")).text
    long = post(desk, page_of(desk, contact_of(scene, "jon.b"), "/opt-out"), source="x" * 251)
    assert (long.status_code, "more than 250" in long.text) == (400, True)
    post(desk, page_of(desk, rosa, "/opt-out"), **{"in": "1"})
    assert row(rosa).accepts_automatic
    assert [kind for kind, _ in recorded()] == ["contact.opted_out", "contact.opted_in"]


def spam(name: str) -> list[bool]:
    with db.read() as session:
        query = (
            sa.select(Conversation.spam_at)
            .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
            .where(ContactIdentity.external_id == name)
        )
        return [at is not None for at in session.scalars(query.order_by(Conversation.id))]


def test_a_blocked_contact_is_spam_here_and_asked_for_at_the_provider(
    desk: Desk, scene: Scene, adapter: Blocking
) -> None:
    rosa = contact_of(scene, "rosa.sample")
    shown = post(desk, page_of(desk, rosa, "/block")).text
    assert "Contact blocked." in shown
    assert "Blocked at the provider too" in shown
    assert adapter.asked == [("rosa.sample", True)]
    assert spam("rosa.sample") == [True]
    scene.said("rosa.sample", "", "Answer me!", scene.now)
    assert spam("rosa.sample") == [True]
    assert not row(rosa).accepts_automatic
    assert "Rosa S." not in desk.browser.get(desk.path()).text
    post(desk, page_of(desk, rosa, "/block"), off="1")
    assert spam("rosa.sample") == [False]
    assert adapter.asked[1:] == [("rosa.sample", False)]
    assert [kind for kind, _ in recorded()] == ["contact.blocked", "contact.unblocked"]
    assert spam("jon.b") == [False]


def test_a_provider_that_does_not_block_is_named_and_asked_again(
    desk: Desk, scene: Scene, adapter: Blocking
) -> None:
    rosa = contact_of(scene, "rosa.sample")
    adapter.refuses = True
    shown = post(desk, page_of(desk, rosa, "/block")).text
    assert "Blocked here, not at Toy: They share an account with you." in shown
    assert "Not blocked at the provider" in shown
    assert spam("rosa.sample") == [True]
    adapter.refuses = False
    assert "Blocked at the provider too" in post(desk, page_of(desk, rosa, "/block")).text
    assert len(recorded("contact.blocked")) == 1


def test_a_new_conversation_of_who_is_blocked_begins_as_spam(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    mail = toys.ByReference()
    toys.apply(account, toys.received("First", external_id="a"), adapter=mail)
    with db.read() as session:
        contact = session.scalars(sa.select(Contact.id)).one()
    do(consent._set_blocked, workspace, contact, True)
    toys.apply(account, toys.received("Second", external_id="b"), adapter=mail)
    with db.read() as session:
        assert [one.spam for one in session.scalars(sa.select(Conversation))] == [True, True]
    do(consent._set_blocked, workspace, contact, False)
    with db.read() as session:
        assert [one.spam for one in session.scalars(sa.select(Conversation))] == [False, False]


# ---- the list -----------------------------------------------------------------------------------------


def names(desk: Desk, **arguments: str) -> list[str]:
    page = desk.browser.get(f"/w/{desk.workspace}/contacts", query_string=arguments).text
    return re.findall(r'<a class="item-link"[^>]*><bdi translate="no">([^<]*)<', page)


def test_the_list_is_sorted_filtered_and_searched(desk: Desk, scene: Scene) -> None:
    scene.said("olu.sample", "Olu P.", "Thanks", scene.ago(days=40))
    rosa, glaze = contact_of(scene, "rosa.sample"), attribute(desk, "Glaze")
    change(desk, rosa, **{f"attribute_{glaze}": "Sage"})
    assert names(desk) == ["Rosa S.", "Jon B.", "Olu P."]
    assert names(desk, sort="quiet") == ["Olu P.", "Jon B.", "Rosa S."]
    assert names(desk, sort="newest") == ["Olu P.", "Jon B.", "Rosa S."]
    assert names(desk, since="7") == ["Rosa S.", "Jon B."]
    assert names(desk, since="quiet30") == ["Olu P."]
    assert names(desk, attribute=str(glaze)) == ["Rosa S."]
    assert names(desk, attribute=str(glaze), value="Ash") == []
    assert names(desk, channel="email") == ["Rosa S.", "Jon B.", "Olu P."]
    assert names(desk, channel="nothing", label="7", sort="x", only="y") == ["Rosa S.", "Jon B.", "Olu P."]
    post(desk, page_of(desk, rosa, "/opt-out"))
    assert names(desk, only="opted_out") == ["Rosa S."]
    assert names(desk, only="blocked") == []
    with db.read() as session:
        everybody = session.scalars(sa.select(Contact.id)).all()
    db.write(documents.refresh_contacts, everybody)
    assert names(desk, q="olu") == ["Olu P."]
    assert names(desk, q="label:x") == []


@pytest.mark.parametrize("sort", list(Sort))
def test_pages_hold_everybody_once(desk: Desk, sort: Sort) -> None:
    scene = Scene(desk)
    for number in range(7):
        scene.said(f"c{number}", f"C{number}", "Hello", scene.ago(minutes=number // 2))
    scene.close("c3", desk.mia.id, scene.now)
    seen: list[int] = []
    after = None
    with db.read() as session:
        while True:
            page = finding.find(session, desk.workspace, ContactFilter(), sort=sort, after=after, limit=2)
            seen += [one.id for one in page.rows]
            after = page.next
            if after is None:
                break
    assert len(seen) == 7
    assert len(set(seen)) == 7


FILTERS: list[dict[str, Any]] = [
    {"opted_out": True},
    {"blocked": True},
    {"blocked": False, "opted_out": False},
    {"label": 1},
    {"label": 1, "opted_out": True},
    {"attribute": 1},
    {"attribute": 1, "value": "Sage"},
    {"attribute": 1, "label": 1, "channel": "email"},
    {"channel": "email"},
    {"channel": "email", "ids": range(1, 9), "label": 1},
]


def some_contacts(workspace: int) -> None:
    """Store twelve contacts, each with two conversations, of which a label has one, both or none."""
    account = toys.make_account(workspace).id
    here, at = {"workspace_id": workspace, "created_at": toys.START}, toys.START
    named = {**here, "name": "It", "name_key": "it"}

    def write(session: Session) -> None:
        session.add_all(
            [Label(id=1, tone=LabelTone.GREEN, **named), ContactAttribute(id=1, kind="text", **named)]
        )
        for number in range(1, 13):
            gone = {
                "opted_out_at": at if number % 4 == 1 else None,
                "blocked_at": at if number == 5 else None,
            }
            session.add(Contact(id=number, name=f"C{number}", **here, **gone))
            session.flush()
            session.add(
                ContactIdentity(
                    id=number,
                    contact_id=number,
                    account_id=account,
                    external_id=str(number),
                    profile={},
                    **here,
                )
            )
            session.flush()
            for part in (0, 1):
                talk = 2 * number + part
                session.add(
                    Conversation(
                        id=talk, contact_id=number, identity_id=number, account_id=account, channel="email",
                        status=("open", "closed")[number % 2 ^ part],
                        last_message_at=at - timedelta(minutes=talk * 7 % 13), last_preview="",
                        last_direction="inbound", last_kind="text", **here,
                    )
                )  # fmt: skip
                session.flush()
                if number % 3 > part:
                    session.add(ConversationLabel(conversation_id=talk, label_id=1, at=at))
            if number % 4 == 0:
                session.add(
                    ContactValue(contact_id=number, attribute_id=1, value=("Ash", "Sage")[number == 8])
                )

    db.write(write)


def test_a_few_are_looked_up_and_many_met_on_the_way_with_the_same_result(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = toys.make_workspace()
    some_contacts(workspace)

    def listed(given: dict[str, Any], sort: Sort, few: int) -> list[int]:
        monkeypatch.setattr(finding, "FEW", few)
        found: list[int] = []
        after = None
        with db.read() as session:
            for _ in range(4):
                ids, after = finding.find_ids(
                    session, workspace, ContactFilter(**given), sort=sort, after=after, limit=4
                )
                found += ids
                if after is None:
                    break
        return found

    for given in FILTERS:
        for sort in Sort:
            walked = listed(given, sort, 0)
            assert walked, given
            assert len(set(walked)) == len(walked), given
            for few in (3, 5, 1000):
                assert listed(given, sort, few) == walked, (given, sort, few)


def test_the_list_and_the_page_cost_the_same_however_much_there_is(
    desk: Desk, scene: Scene, database: db.Database
) -> None:
    rosa = contact_of(scene, "rosa.sample")
    paths = [f"/w/{desk.workspace}/contacts", page_of(desk, rosa)]
    few = []
    for path in paths:
        desk.browser.get(path)
        few.append(cost(desk, database, path))
    for number in range(12):
        scene.said(f"c{number}", f"C{number}", "Hello", scene.ago(minutes=number))
        scene.said("rosa.sample", "", f"More {number}", scene.now)
        post(desk, page_of(desk, rosa, "/notes"), text=f"Note {number}")
    for path, before in zip(paths, few, strict=True):
        assert cost(desk, database, path) <= before, path


# ---- the page -----------------------------------------------------------------------------------------


def test_the_line_of_time_goes_on_page_by_page_and_holds_all_once(
    desk: Desk, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rosa = contact_of(scene, "rosa.sample")
    with clock.travel(timedelta(hours=-1)):
        for number in range(70):
            post(desk, page_of(desk, rosa, "/notes"), text=f"note number {number} ends")
    seen: list[str] = []
    path = page_of(desk, rosa)
    while path:
        page = desk.browser.get(path).text
        seen += [part.partition(" ends")[0] for part in page.split("note number ")[1:]]
        link = page.partition('rel="next" href="')[2].partition('"')[0]
        path = link.replace("&amp;", "&")
    assert seen == [str(number) for number in reversed(range(70))]
    assert "The lid arrived cracked" not in desk.browser.get(page_of(desk, rosa, "?show=notes")).text
    conversations = desk.browser.get(page_of(desk, rosa, "?show=conversations")).text
    assert "The lid arrived cracked" in conversations
    assert "note number" not in conversations.partition('class="timeline"')[2].partition("</ol>")[0]


def test_pictures_and_files_are_shown_and_what_was_unsent_is_not(desk: Desk, scene: Scene) -> None:
    picture = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/mug.jpg")
    pdf = InboundAttachment(
        MessageKind.FILE, content=b"%PDF-1.4", name="sizes.pdf", content_type="application/pdf"
    )
    scene.said("rosa.sample", "", "", scene.now, kind=MessageKind.IMAGE, attachments=(picture, pdf))
    link = sa.update(Attachment).where(Attachment.kind == "image").values(state="linked")
    run(link)
    rosa, conversation = contact_of(scene, "rosa.sample"), scene.conversation("rosa.sample")
    for path in (page_of(desk, rosa), page_of(desk, rosa, "?show=files")):
        page = desk.browser.get(path).text
        assert "sizes.pdf" in page
        assert 'class="thumb"' in page
    assert 'class="thumb"' in desk.browser.get(desk.path(f"/{conversation}")).text
    gone = sa.update(Message).where(Message.kind == "image").values(unsent_at=clock.now())
    run(gone)
    assert "sizes.pdf" not in desk.browser.get(page_of(desk, rosa, "?show=files")).text


def test_the_pane_changes_attributes_in_place(desk: Desk, scene: Scene) -> None:
    glaze, rosa = attribute(desk, "Glaze"), contact_of(scene, "rosa.sample")
    conversation = scene.conversation("rosa.sample")
    page = desk.browser.get(desk.path(f"/{conversation}")).text
    assert "Glaze" in page
    answer = desk.browser.post(
        page_of(desk, rosa, "/details"),
        data={
            "csrf_token": desk.browser.csrf(),
            "field": f"attribute:{glaze}",
            "value": "Sage",
            "conversation": str(conversation),
        },
    )
    assert answer.status_code == 303
    assert f"/inbox/{conversation}" in answer.headers["Location"]
    assert "Sage" in desk.browser.get(desk.path(f"/{conversation}")).text


# ---- who may --------------------------------------------------------------------------------------------


def test_who_reads_only_changes_nothing_and_owners_alone_export(desk: Desk, scene: Scene) -> None:
    rosa = contact_of(scene, "rosa.sample")
    auditor = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.AUDITOR))
    page = auditor.get(page_of(desk, rosa)).text
    assert "Rosa S." in page
    assert f"/contacts/{rosa}/details" not in page
    assert f"/contacts/{rosa}/notes" not in page
    for rest in ("/details", "/notes", "/opt-out", "/block", "/merge", "/export"):
        assert post(desk, page_of(desk, rosa, rest), auditor).status_code == 403
    agent = helpers.client_for(desk.app, helpers.make_user("b@example.com", workspace=desk.workspace))
    assert post(desk, page_of(desk, rosa, "/export"), agent).status_code == 403


def test_who_sees_some_accounts_blocks_nobody_who_writes_to_others(desk: Desk, scene: Scene) -> None:
    other = toys.make_account(desk.workspace, desk.account.channel, handle="@hidden")
    rosa = contact_of(scene, "rosa.sample")
    move = sa.update(ContactIdentity).where(ContactIdentity.external_id == "jon.b")
    run(move.values(contact_id=rosa, account_id=other.id))
    limited = acting(desk.workspace, sees=frozenset({desk.account.id}))
    with pytest.raises(NotAllTheirsError):
        consent.block(limited, desk.generation.directory, rosa, on=True)
    assert row(rosa).blocked_at is None
    with db.read() as session:
        seen = finding.identities_of(session, [rosa], frozenset({desk.account.id}))[rosa]
        assert [one.external_id for one in seen] == ["rosa.sample"]


def test_a_contact_of_another_workspace_does_not_exist(desk: Desk, scene: Scene) -> None:
    elsewhere = helpers.make_workspace("Elsewhere")
    rosa = contact_of(scene, "rosa.sample")
    with pytest.raises(ContactNotFoundError), db.read() as session:
        people.get(session, elsewhere, rosa, accounts=None)
    with pytest.raises(ContactNotFoundError):
        do(people.locked, elsewhere, rosa)


# ---- the export -----------------------------------------------------------------------------------------


def test_the_export_holds_everything_but_what_was_taken_back(desk: Desk, scene: Scene, data: Path) -> None:
    storage.use(storage.FolderStore(data / "attachments"))
    key = storage.store(b"%PDF-1.4 sizes")
    pdf = InboundAttachment(
        MessageKind.FILE, content=b"%PDF-1.4 sizes", name="../sizes?.pdf", content_type="application/pdf"
    )
    scene.said("rosa.sample", "", "<script>alert(1)</script>", scene.ago(minutes=5), attachments=(pdf,))
    scene.said("rosa.sample", "", "I take this back", scene.ago(minutes=4), external_id="gone")
    scene.note("rosa.sample", "Send another lid", scene.ago(minutes=3), desk.mia.id)
    keep = sa.update(Attachment).values(storage_key=key, state="stored")
    gone = sa.update(Message).where(Message.external_id == "gone").values(unsent_at=clock.now())
    for statement in (keep, gone):
        run(statement)
    rosa, glaze = contact_of(scene, "rosa.sample"), attribute(desk, "Glaze")
    change(desk, rosa, **{f"attribute_{glaze}": "Sage"})
    post(desk, page_of(desk, rosa, "/notes"), text="Rings twice")
    scene.also_known("rosa.sample", "DE.7", at=scene.ago(minutes=1))
    owner = helpers.client_for(
        desk.app, helpers.make_user("o@example.com", workspace=desk.workspace, role=Role.OWNER)
    )
    answer = post(desk, page_of(desk, rosa, "/export"), owner)
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        listed = archive.namelist()
        told = json.loads(archive.read("contact.json"))
        page = archive.read("contact.html").decode()
        (file,) = [name for name in listed if name.startswith("files/")]
        assert archive.read(file) == b"%PDF-1.4 sizes"
    assert ".." not in file.removeprefix("files/")
    said = [one["text"] for one in told["conversations"][0]["messages"]]
    assert said == ["The lid arrived cracked", "<script>alert(1)</script>", "Send another lid"]
    assert told["contact"]["attributes"] == {"Glaze": "Sage"}
    ids = [(one["externalId"], one["primary"], one["kind"]) for one in told["contact"]["identities"]]
    assert ids == [("rosa.sample", True, "passing"), ("DE.7", False, "lasting")]
    assert "DE.7" in page
    assert [one["text"] for one in told["contact"]["history"] if one["kind"] == "note"] == ["Rings twice"]
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "I take this back" not in page
    with db.read() as session:
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last is not None
    assert (last.action, last.subject) == ("contact.exported", f"contact {rosa}")


def test_the_list_is_exported_as_it_is_filtered(
    desk: Desk, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "PORTION", 1)
    scene.said("eve.x", "=cmd|' /C calc'!A0", "Hi", scene.ago(hours=1))
    scene.also_known("rosa.sample", "DE.7", at=scene.ago(minutes=1))
    owner = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.OWNER))
    agent = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.AGENT))
    page = f"/w/{desk.workspace}/contacts"
    assert "/contacts/export" in owner.get(page).text
    assert "/contacts/export" not in agent.get(page).text
    assert post(desk, f"{page}/export", agent).status_code == 403

    def exported(query: str = "") -> list[list[str]]:
        answer = post(desk, f"{page}/export{query}", owner)
        assert answer.mimetype == "text/csv"
        return list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))

    heads, *lines = exported()
    assert heads[:4] == ["Name", "Email", "Channels", "IDs"]
    assert lines[2][3] == "Toy: rosa.sample; Toy: DE.7"
    assert [line[0] for line in lines] == ["'=cmd|' /C calc'!A0", "Jon B.", "Rosa S."]
    assert [line[7:9] for line in lines] == [["1", "1"]] * 3
    assert (
        post(desk, page_of(desk, contact_of(scene, "rosa.sample"), "/opt-out"), owner, on="1").status_code
        == 200
    )
    assert [line[0] for line in exported("?only=opted_out")[1:]] == ["Rosa S."]
    with db.read() as session:
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert last.action == "contact.list_exported"


def test_the_export_takes_no_more_memory_for_more_messages(desk: Desk, scene: Scene) -> None:
    rosa = contact_of(scene, "rosa.sample")
    conversation = scene.conversation("rosa.sample")
    rows = [
        {
            "workspace_id": desk.workspace,
            "conversation_id": conversation,
            "account_id": desk.account.id,
            "direction": "inbound",
            "origin": "customer",
            "kind": "text",
            "text": "word " * 200,
            "content": {},
            "position": 0,
            "sent_at": scene.ago(minutes=number),
            "created_at": scene.now,
        }
        for number in range(1000)
    ]
    run(sa.insert(Message), rows)
    found = do(export.summary, desk.workspace, rosa)
    largest = max(len(piece) for piece in export.pieces(desk.workspace, found, export.ENGLISH))
    assert largest < 300_000
