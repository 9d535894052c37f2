"""What is found, by whom, and when it is found no more, on every database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events.consuming import _make_rows
from host.inbox import erasure
from host.inbox.apply import phone_numbers
from host.inbox.contacts.models import ContactAttribute, ContactValue
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel, LabelTone
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.models.search import DocumentKind, SearchBuild
from host.sdk.channel import AccountRef
from host.sdk.messages import ContactIdentified, InboundAttachment, MessageKind, PersonId
from host.search import building, documents, postings, words
from host.search.documents import Indexing
from host.search.finding import finder
from host.search.finding.filters import understood
from host.search.finding.query import read_query
from tests.helpers import do, work
from tests.inbox import toys
from tests.search.desk import find, found_texts, kept_terms, message_id, read_record, terms_of


def shop(name: str = "Sample Pottery") -> tuple[int, AccountRef]:
    workspace = toys.make_workspace(name)
    return workspace, toys.make_account(workspace)


def people(workspace: int, text: str, accounts: frozenset[int] | None = None) -> list[str]:
    with db.read() as session:
        found = finder.find_people(session, workspace, read_query(text), accounts=accounts)
    return [one.name for one in found]


def test_messages_are_found_newest_first_page_by_page(any_database: db.Database) -> None:
    workspace, account = shop()
    said = [f"mug number {number}" for number in range(30)]
    toys.apply(account, *(toys.received(text, at=n, contact=f"c{n % 4}") for n, text in enumerate(said)))
    read_record()
    assert found_texts(workspace, "MUG") == said[::-1]
    assert found_texts(workspace, "mug 7") == ["mug number 7"]
    assert found_texts(workspace, "mug saucer") == []
    assert found_texts(workspace, '"number 12"') == ["mug number 12"]
    assert found_texts(workspace, '"mug 12"') == []
    assert found_texts(workspace, "numb*", limit=3) == said[:-4:-1]
    got, place = [], None
    for _ in range(10):
        page = find(workspace, "mug number", after=place, limit=7)
        got += [one.texts[0] for one in page.hits]
        place = page.next
        if place is None:
            break
    assert got == said[::-1]


def test_a_beginning_is_one_of_rare_and_common_words(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "LOOKED_THROUGH", 4)
    finder._beginning_query.cache_clear()
    workspace, account = shop()
    said = [
        *(f"muga{n}" for n in range(3)),
        *["mugb one"] * 9,
        "mugc",
        *(f"mugd{n}" for n in range(60)),
        "muh",
    ]
    toys.apply(account, *(toys.received(text, at=n) for n, text in enumerate(said)))
    read_record()
    try:
        # The first forty: the word itself, three, one that is common, one, and 34 of sixty in their order.
        some = found_texts(workspace, "mug*", limit=100)
        assert len(some) == 3 + 9 + 1 + 34
        assert "muh" not in some
        assert found_texts(workspace, "mugb*", limit=100) == ["mugb one"] * 9
        assert found_texts(workspace, "mugx*") == []
    finally:
        finder._beginning_query.cache_clear()


def test_a_search_goes_on_where_its_time_was_over(any_database: db.Database) -> None:
    workspace, account = shop()
    said = [f"{'red' if number % 2 else 'blue'} mug" for number in range(150)]
    toys.apply(account, *(toys.received(text, at=n) for n, text in enumerate([*said, "red blue"])))
    read_record()
    got, place, rounds = [], None, 0
    while rounds < 20:
        page = find(workspace, "red blue", after=place, patience=0)
        got += [one.texts[0] for one in page.hits]
        place, rounds = page.next, rounds + 1
        if place is None:
            break
    assert got == ["red blue"]
    assert rounds == 2


def test_what_must_not_be_there_is_left_out(any_database: db.Database) -> None:
    workspace, account = shop()
    said = ["blue mug", "mug, blue one", "delivered mug", "order AB-1234 mug", "plate"]
    toys.apply(account, *(toys.received(text, at=n) for n, text in enumerate(said)))
    read_record()
    assert found_texts(workspace, "mug -blue") == ["order AB-1234 mug", "delivered mug"]
    assert found_texts(workspace, 'mug -"blue mug" -deliv*') == ["order AB-1234 mug", "mug, blue one"]
    assert found_texts(workspace, "mug -ab1234 -delivered -BLUE") == []
    assert found_texts(workspace, "-mug") == ["plate"]
    assert found_texts(workspace, "mug -mug") == []
    assert found_texts(workspace, "mu* -blue -plate -nobodywrotethis", limit=1) == ["order AB-1234 mug"]


def test_labels_and_states_of_conversations_are_filters(any_database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(account, *(toys.received(f"mug {n}", contact=f"c{n}", at=n) for n in range(3)))
    toys.apply(account, toys.echoed("here is your mug", contact="c0", at=9))
    read_record()
    ids = [one.id for one in toys.everything(Conversation)]

    def give(session: Session) -> None:
        for name, to in (("Big Order", ids[1:]), ("VIP", ids[2:])):
            label = labels.create(work(session, workspace), name=name, tone=LabelTone.GREY)
            session.add_all(
                ConversationLabel(conversation_id=id_, label_id=label.id, at=clock.now()) for id_ in to
            )

    db.write(give)
    assert found_texts(workspace, 'mug label:"big order"') == ["mug 2", "mug 1"]
    assert found_texts(workspace, 'mug label:"big order" label:vip') == ["mug 2"]
    assert found_texts(workspace, "mug label:none") == []
    assert found_texts(workspace, "mug is:waiting") == ["mug 2", "mug 1"]
    assert found_texts(workspace, "mug is:snoozed") == found_texts(workspace, "mug is:spam") == []


def test_as_many_are_counted_as_there_is_time_for(any_database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(account, *(toys.received(f"mug {n}", at=n) for n in range(90)))
    read_record()
    with db.read() as session:
        wanted = understood(session, workspace, None, read_query("mug"))
        for count, patience, expected in (
            (200, 60, (90, True)),
            (70, 60, (70, False)),
            (200, 0, (64, False)),
        ):
            found = finder.find(session, workspace, None, wanted, limit=20, count=count, patience=patience)
            assert (len(found.hits), len(found.counted), found.complete) == (20, *expected)
            assert found.next is not None
            assert not found.stopped


def test_filters_are_marks_conversations_people_and_days(any_database: db.Database) -> None:
    workspace, account = shop()
    mia = toys.make_user(workspace, "Mia R.")
    other = toys.make_account(workspace, external_id="second", handle="second@example.com", name="Second")
    picture = InboundAttachment(
        kind=MessageKind.IMAGE, name="invoice_4711.png", url="https://example.com/a.png"
    )
    toys.apply(account, toys.received("the mug", contact="anna.k", at=0, contact_name="Anna Kiln"))
    toys.apply(account, toys.received("mug picture", contact="bob", at=86_400, attachments=(picture,)))
    toys.apply(account, toys.echoed("your mug", contact="bob", at=90_000))
    toys.apply(other, toys.received("second mug", contact="zoe", at=172_800))
    read_record()
    all_ = ["second mug", "your mug", "mug picture", "the mug"]
    assert found_texts(workspace, "mug") == all_
    assert found_texts(workspace, "mug is:open") == all_
    assert found_texts(workspace, "mug is:closed") == []
    assert found_texts(workspace, "mug has:file") == ["mug picture"]
    assert found_texts(workspace, "invoice") == ["mug picture"]
    assert found_texts(workspace, "4711") == ["mug picture"]
    assert found_texts(workspace, "from:team") == ["your mug"]
    assert found_texts(workspace, "from:customer mug") == ["second mug", "mug picture", "the mug"]
    assert found_texts(workspace, "account:second") == ["second mug"]
    assert found_texts(workspace, "account:nowhere") == []
    assert found_texts(workspace, "channel:email mug") == all_
    assert found_texts(workspace, "channel:telegraph mug") == []
    assert found_texts(workspace, "assignee:nobody mug") == all_
    assert found_texts(workspace, "assignee:me mug", user=mia) == []
    assert found_texts(workspace, "from:me mug", user=mia) == []
    day = (toys.START.date()).isoformat()
    assert found_texts(workspace, f"mug before:{day}") == []
    assert found_texts(workspace, f"after:{day} mug")[-1] == "mug picture"
    assert found_texts(workspace, "before:someday mug") == []
    assert found_texts(workspace, "from:anna mug") == ["the mug"]
    assert people(workspace, "kil") == ["Anna Kiln"]
    assert people(workspace, "anna nobody") == []


def test_a_name_is_found_by_each_of_its_spellings(any_database: db.Database) -> None:
    workspace, account = shop()
    groups = (
        ("Müller", "Mueller", "Muller"),
        ("Björn Groß", "Bjoern Gross", "Bjorn Gross"),
        ("Søren Åberg", "Soeren Aaberg", "Soren Aberg"),
        ("Bäuerle", "Baeuerle", "Bauerle"),
    )
    named = [name for group in groups for name in group]
    toys.apply(
        account,
        *(toys.received("hello", at=n, contact=f"c{n}", contact_name=name) for n, name in enumerate(named)),
        toys.received("hello", at=99, contact="sam", contact_name="Samuel Bauer"),
    )
    read_record()
    for group in groups:
        for name in group:
            assert sorted(people(workspace, name)) == sorted(group), name
            assert sorted(people(workspace, name[:-1].upper())) == sorted(group), name
    assert sorted(people(workspace, "muell")) == sorted(groups[0])
    assert sorted(people(workspace, "mül")[:3]) == sorted(groups[0])
    assert people(workspace, "mül")[3:] == ["Samuel Bauer"], "it may be spelled muel"
    assert people(workspace, "samue") == people(workspace, "bauer")[:1] == ["Samuel Bauer"]
    assert len(found_texts(workspace, "from:mueller")) == 3
    assert found_texts(workspace, "mueller") == []


def test_a_part_of_a_name_or_handle_is_found_behind_what_it_begins(any_database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(
        account,
        toys.received("hi", at=1, contact="c1", contact_name="Mayer"),
        toys.received("hi", at=2, contact="c2", contact_name="Obermayer"),
        toys.received("hi", at=3, contact="c3", contact_name="Lena", contact_username="lenasblumen"),
        toys.received("hi", at=4, contact="c4", contact_name="Möhlmüller"),
        toys.received("hi", at=5, contact="c5", contact_name="中村さくら"),
        toys.received("hi", at=6, contact="c6", contact_name="Al", contact_username="al@blumenhof.example"),
    )
    read_record()
    assert people(workspace, "mayer") == ["Mayer", "Obermayer"]
    assert people(workspace, "bermay") == ["Obermayer"]
    assert people(workspace, "may*") == ["Mayer", "Obermayer"]
    assert people(workspace, "blumen") == ["Al", "Lena"]
    assert people(workspace, "lena blumen") == ["Lena"]
    assert people(workspace, "hlmuel") == people(workspace, "müller") == ["Möhlmüller"]
    assert people(workspace, "さくら") == ["中村さくら"]
    assert people(workspace, "umenho") == [], "of the domain of an address only beginnings"
    assert people(workspace, "er") == []
    assert found_texts(workspace, "from:mayer") == ["hi"], "a filter stays with what it begins"
    with db.read() as session:
        query = read_query("mayer")
        assert len(finder.find_contacts(session, workspace, query, 10)) == 2
        assert len(finder.find_contacts(session, workspace, query, 10, within=False)) == 1
        assert len(finder.find_contacts(session, workspace, query, 1)) == 1


def test_common_words_of_names_are_read_in_part(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "MOST_READ", 3)
    workspace, account = shop()
    named = [
        *(f"Anna {word}" for word in ("Kiln", "Obermayer", "Mayer")),
        *["Anna"] * 5,
        "Annabel",
        "Johanna",
    ]
    toys.apply(
        account,
        *(toys.received("hi", at=n, contact=f"c{n}", contact_name=name) for n, name in enumerate(named)),
    )
    read_record()
    assert people(workspace, "anna kiln") == ["Anna Kiln"], "it is none of the newest"
    assert people(workspace, "anna mayer") == ["Anna Mayer", "Anna Obermayer"]
    common = people(workspace, "anna ann")
    assert (common[0], common[-1]) == ("Annabel", "Johanna")
    assert people(workspace, "anna nobody") == []


def test_an_order_number_is_found_however_it_is_written(any_database: db.Database) -> None:
    workspace, account = shop()
    said = ["it is ORD1182", "it is #1182", "it is ORD-1182", "it is 2024-1182", "it is 11824", "A4 and B52"]
    toys.apply(account, *(toys.received(text, at=n) for n, text in enumerate(said)))
    read_record()
    assert found_texts(workspace, '"1182"') == said[3::-1]
    assert found_texts(workspace, "1182") == found_texts(workspace, "#1182") == said[4::-1]
    assert found_texts(workspace, "ORD-1182") == found_texts(workspace, "ord1182") == [said[2], said[0]]
    assert found_texts(workspace, "2024-1182") == found_texts(workspace, "20241182") == [said[3]]
    assert found_texts(workspace, "it -1182") == [said[4]]
    assert found_texts(workspace, "52") == []


def test_numbers_and_handles_are_found_by_their_beginning(any_database: db.Database) -> None:
    workspace, account = shop()
    said = [
        "order 10023",
        "order #10087",
        "order ORD-10023",
        "order ord10024",
        "10 of 1000",
        "ask @anna.b",
        "annabel",
    ]
    toys.apply(
        account,
        *(toys.received(text, at=n, contact="x", contact_name="Zoe") for n, text in enumerate(said)),
        toys.received("hi", at=20, contact="c1", contact_name="A. Berg", contact_username="anna.b"),
        toys.received("hi", at=21, contact="c2", contact_name="Bo", contact_username="joanna"),
    )
    read_record()
    assert found_texts(workspace, "#10") == said[4::-1]
    assert found_texts(workspace, "#1002") == found_texts(workspace, "1002") == [said[3], said[2], said[0]]
    assert found_texts(workspace, "ord1002") == found_texts(workspace, "ORD-1002") == [said[3], said[2]]
    assert found_texts(workspace, "#1008") == found_texts(workspace, "order 1008") == [said[1]]
    assert found_texts(workspace, '"1002"') == found_texts(workspace, "100") == [], (
        "three digits may be a sum"
    )
    assert found_texts(workspace, "order -1002") == said[3::-1], "a minus leaves out what is typed"
    assert found_texts(workspace, "@ann") == [said[6], said[5]]
    assert found_texts(workspace, "@anna.b") == [said[5]]
    assert found_texts(workspace, "ann") == []
    assert found_texts(workspace, "from:@ann") == ["hi"]
    for typed in ("@ann", "ann", "@anna.b", "anna.b", "annab"):
        assert people(workspace, typed)[0] == "A. Berg", typed
    assert people(workspace, "@ann") == ["A. Berg", "Bo"]


def test_a_contact_is_found_by_each_of_their_ids(any_database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(account, toys.received("hi", at=1, contact="4915112345678", contact_name="Gil"))
    read_record()
    assert people(workspace, "+4915112345678") == ["Gil"]
    assert people(workspace, "DE.117402263") == []
    ids = (PersonId("4915112345678"), PersonId("DE.117402263", lasting=True))
    toys.apply(account, ContactIdentified("4915112345678", toys.START, ids))
    read_record()
    for typed in ("DE.117402263", "117402", "49151123", "gil"):
        assert people(workspace, typed) == ["Gil"], typed
    with db.read() as session:
        contact = session.scalars(sa.select(Contact.id)).one()
    do(erasure.erase, workspace, contact)
    read_record()
    for typed in ("DE.117402263", "4915112345678"):
        assert people(workspace, typed) == [], typed


@pytest.mark.parametrize(
    "typed",
    [
        "+49 151 23456789",
        "+49-151-234-567-89",
        "(+49) 151 / 23 45 67 89",
        "+49 (0)151 23456789",
        "0049 151 23456789",
        "004915123456789",
        "00 49 151 23456789",
        "0151 23456789",
        "0151/23456789",
        "49 151 23456789",
        "+49 151 2345",
    ],
)
def test_a_phone_number_is_found_however_it_is_typed(database: db.Database, typed: str) -> None:
    workspace, account = shop()
    number = {"contact": "4915123456789", "contact_phone": "4915123456789"}
    toys.apply(account, toys.received("hi", contact_name="Gil", **number))
    toys.apply(account, toys.received("hi", contact="4915223456789", contact_name="Another"))
    toys.apply(account, toys.received("hi", contact="DE.7", contact_name="Kim"))
    told = (PersonId("4915153456789"), PersonId("DE.7", lasting=True))
    toys.apply(account, ContactIdentified("DE.7", toys.START, told))
    read_record()
    assert people(workspace, typed) == ["Gil"]
    assert people(workspace, "+49 151 53456789") == ["Kim"]
    assert people(toys.make_workspace(), typed) == []
    wrong = typed.replace("2345", "2346").replace("234-5", "234-6").replace("23 45", "23 46")
    assert people(workspace, wrong) == []


def test_a_phone_number_that_the_team_entered_is_found(database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(account, toys.received("hi", contact_name="Gil"))
    with db.read() as session:
        contact = session.scalars(sa.select(Contact.id)).one()

    def enter(session: Session) -> None:
        named = {"name": "Phone", "name_key": "phone", "kind": "text"}
        row = ContactAttribute(workspace_id=workspace, **named, created_at=clock.now())
        session.add(row)
        session.flush()
        value = "0151 / 23456789"
        key = phone_numbers.written_key(value)
        session.add(ContactValue(contact_id=contact, attribute_id=row.id, value=value, phone_key=key))

    db.write(enter)
    read_record()
    for typed in ("+49 151 23456789", "0151 23456789", "(0151) 234 567 89"):
        assert people(workspace, typed) == ["Gil"], typed
    assert people(workspace, "+49 152 23456789") == []


def test_a_contact_without_a_conversation_is_found_last(any_database: db.Database) -> None:
    workspace, account = shop()
    second = toys.make_account(workspace, external_id="second", handle="second@example.com")
    elsewhere, _ = shop("Elsewhere")
    toys.apply(account, toys.received("hi", at=1, contact="c1", contact_name="Anna Kiln"))

    def add(session: Session) -> None:
        for name, to in (("Anna Alone", account), ("Anna Second", second), ("Anna Nowhere", None)):
            contact = Contact(workspace_id=workspace, name=name, created_at=toys.START)
            session.add(contact)
            session.flush()
            if to is not None:
                session.add(
                    ContactIdentity(
                        workspace_id=workspace,
                        contact_id=contact.id,
                        account_id=to.id,
                        external_id=name,
                        profile={},
                        created_at=toys.START,
                    )
                )
        documents.refresh_contacts(session, list(session.scalars(sa.select(Contact.id))))

    db.write(add)
    read_record()
    assert people(workspace, "anna") == ["Anna Kiln", "Anna Nowhere", "Anna Second", "Anna Alone"]
    with db.read() as session:
        found = finder.find_people(session, workspace, read_query("anna"), accounts=None)
    assert [one.conversation_id is None for one in found] == [False, True, True, True]
    assert [one.channel for one in found] == ["email", None, "email", "email"]
    # As on the page of a contact: somebody who sees one account sees who is on it.
    assert people(workspace, "anna", frozenset({second.id})) == ["Anna Second"]
    assert people(workspace, "anna", frozenset({account.id})) == ["Anna Kiln", "Anna Alone"]
    assert people(workspace, "anna", frozenset()) == []
    assert people(elsewhere, "anna") == []


def test_a_workspace_and_a_limited_person_find_their_own_alone(any_database: db.Database) -> None:
    workspace, account = shop()
    second = toys.make_account(workspace, external_id="second", handle="second@example.com")
    theirs, elsewhere = shop("Elsewhere")
    toys.apply(account, toys.received("secret mug", contact="anna", contact_name="Anna"))
    toys.apply(second, toys.received("second mug", contact="zoe", contact_name="Zoe"))
    toys.apply(elsewhere, toys.received("their mug", contact="eve", contact_name="Eve"))
    read_record()
    assert found_texts(theirs, "mug") == ["their mug"]
    assert found_texts(workspace, "mug") == ["second mug", "secret mug"]
    mine = frozenset({second.id})
    assert found_texts(workspace, "mug", accounts=mine) == ["second mug"]
    assert found_texts(workspace, f"mug account:{account.id}", accounts=mine) == []
    assert people(workspace, "anna", mine) == []
    assert people(workspace, "zoe", mine) == ["Zoe"]
    assert people(workspace, "eve") == []
    assert found_texts(workspace, "mug", accounts=frozenset()) == []


def test_what_is_taken_back_edited_or_erased_is_found_no_more_in_that_write(
    any_database: db.Database,
) -> None:
    workspace, account = shop()
    toys.apply(
        account, toys.received("marker one", contact="anna", external_id="m1", contact_name="Anna Kiln")
    )
    toys.apply(account, toys.received("marker two", contact="anna", external_id="m2"))
    toys.apply(account, toys.received("marker three", contact="bob", external_id="m3"))
    read_record()
    ids = {text: message_id(text) for text in ("marker one", "marker two", "marker three")}
    assert len(found_texts(workspace, "marker")) == 3
    toys.apply(account, toys.unsent("m1", contact="anna", at=5))
    gone = ids["marker one"]
    assert terms_of(DocumentKind.MESSAGE, gone) == kept_terms(DocumentKind.MESSAGE, gone) == set()
    toys.apply(account, toys.edited("m3", "another word", contact="bob", at=6))
    assert terms_of(DocumentKind.MESSAGE, ids["marker three"]) == set()
    read_record()
    assert found_texts(workspace, "marker") == ["marker two"]
    assert found_texts(workspace, "another") == ["another word"]
    with db.read() as session:
        contact = session.scalar(
            sa.select(Conversation.contact_id)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(Contact.name == "Anna Kiln")
        )
    assert contact is not None
    assert people(workspace, "kiln") == ["Anna Kiln"]
    do(erasure.erase, workspace, contact)
    assert terms_of(DocumentKind.MESSAGE, ids["marker two"]) == set()
    assert terms_of(DocumentKind.CONTACT, contact) == kept_terms(DocumentKind.CONTACT, contact) == set()
    read_record()
    assert found_texts(workspace, "marker") == []
    assert people(workspace, "anna") == []


def test_what_was_there_before_is_built_in_portions_and_again(any_database: db.Database) -> None:
    workspace, account = shop()
    toys.apply(account, *(toys.received(f"old mug {n}", at=n, contact_name="Anna") for n in range(25)))
    building.PORTION, usual = 10, building.PORTION
    try:
        assert not building.build_some(), "nobody reads the record yet, so something could be missed"
        db.write(_make_rows, [Indexing()])
        while building.build_some():
            pass
    finally:
        building.PORTION = usual
    assert len(found_texts(workspace, "old mug")) == 25
    assert people(workspace, "anna") == ["Anna"]
    with db.read() as session:
        assert building.progress(session).done
    # A document nothing stands behind any more is forgotten when everything is looked at again.
    db.write(
        postings.put,
        DocumentKind.MESSAGE,
        [999],
        {999: postings.DocumentContent(workspace, 1, frozenset({"ghost"}))},
    )
    assert terms_of(DocumentKind.MESSAGE, 999) == {"ghost"}
    db.write(building.rebuild)
    with db.read() as session:
        assert not building.progress(session).done
    while building.build_some():
        pass
    assert terms_of(DocumentKind.MESSAGE, 999) == set()
    assert len(found_texts(workspace, "old mug")) == 25
    with db.read() as session:
        assert {one.version for one in session.scalars(sa.select(SearchBuild))} == {words.VERSION}


def test_a_workspace_is_forgotten_in_portions(any_database: db.Database) -> None:
    workspace, account = shop()
    theirs, elsewhere = shop("Elsewhere")
    toys.apply(account, *(toys.received(f"mug {n}", at=n) for n in range(5)))
    toys.apply(elsewhere, toys.received("their mug", contact="eve"))
    read_record()
    while db.write(postings.forget_workspace, workspace):
        pass
    assert found_texts(workspace, "mug") == []
    assert found_texts(theirs, "mug") == ["their mug"]
