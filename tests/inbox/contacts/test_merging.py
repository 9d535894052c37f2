"""Merging two contacts and splitting them: nothing is lost, identities belong to one, splitting restores."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.core import clock, db
from host.events.models import DomainEvent
from host.inbox import erasure
from host.inbox.contacts import attributes, consent, details, merging, people
from host.inbox.contacts.models import AttributeKind, ContactMerge
from host.inbox.errors import (
    ContactFieldError,
    ContactNotFoundError,
    MergeError,
    MergeNotFoundError,
    NotAllTheirsError,
)
from host.models.inbox import Contact, ContactIdentity, Conversation, Message
from host.sdk.channel import AccountRef
from host.search import documents
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.contacts.test_contacts import contact_of, page_of, post
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


@dataclass
class Cast:
    """Contacts that each wrote from an account of their own, and an attribute."""

    workspace: int
    accounts: list[AccountRef]
    ids: list[int]
    glaze: int
    messages: int = 0
    merges: list[tuple[int, int, int]] = field(default_factory=list)
    """Those that hold: the id, the contact that stays, the other."""

    def write(self, number: int) -> None:
        """Have the contact that *number* began as write once more."""
        self.messages += 1
        change = toys.received(f"word {self.messages}", contact=f"c{number}", external_id=f"m{self.messages}")
        toys.apply(self.accounts[number], change)

    def merge(self, first: int, second: int, *take: str) -> ContactMerge:
        found: ContactMerge = do(merging.merge, self.workspace, self.ids[first], self.ids[second], take=take)
        self.merges.append((found.id, first, second))
        return found

    def split(self, merge: int, first: int) -> None:
        do(merging.split, self.workspace, self.ids[first], merge)
        self.merges = [one for one in self.merges if one[0] != merge]

    def change(self, number: int, **changes: str | None) -> None:
        named = {name.replace("glaze", f"attribute:{self.glaze}"): value for name, value in changes.items()}
        do(details.change, self.workspace, self.ids[number], named)

    def opt_out(self, number: int) -> None:
        do(consent.opt_out, self.workspace, self.ids[number], "stop")

    def is_part(self, number: int) -> bool:
        return self.root(number) != number

    def root(self, number: int) -> int:
        for _, first, second in self.merges:
            if second == number:
                return self.root(first)
        return number

    def kept(self, number: int) -> tuple[Any, ...]:
        """Return the details of a contact: name, address, attribute, and whether they opted out."""
        with db.read() as session:
            row = session.get_one(Contact, self.ids[number])
            values = attributes.values_of(session, [row.id]).get(row.id, {})
            return row.name, row.email, values.get(self.glaze), row.opted_out_at

    def check(self) -> None:
        """Every identity and conversation belongs to whom the merges that hold say, and nothing is gone."""
        mine = ContactIdentity.workspace_id == self.workspace
        with db.read() as session:
            query = sa.select(ContactIdentity.external_id, ContactIdentity.contact_id).where(mine)
            owners = dict(map(tuple, session.execute(query)))
            assert owners == {f"c{n}": self.ids[self.root(n)] for n in range(len(self.ids))}
            apart = sa.select(sa.func.count()).select_from(Conversation)
            apart = apart.join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
            assert session.scalar(apart.where(Conversation.contact_id != ContactIdentity.contact_id)) == 0
            said = sa.select(sa.func.count()).where(
                Message.direction == "inbound", Message.workspace_id == self.workspace
            )
            assert session.scalar(said) == self.messages
            merged = sa.select(Contact.id, Contact.merged_into_id).where(
                Contact.workspace_id == self.workspace
            )
            parts = dict(map(tuple, session.execute(merged)))
            assert parts == {
                id_: self.ids[self.root(n)] if self.is_part(n) else None for n, id_ in enumerate(self.ids)
            }


def cast_of(count: int) -> Cast:
    workspace = toys.make_workspace()
    accounts = [toys.make_account(workspace, handle=f"@account{number}") for number in range(count)]
    now = clock.now()
    glaze = do(attributes.create, workspace, name="Glaze", kind=AttributeKind.TEXT, now=now).id
    made = Cast(workspace, accounts, [], glaze)
    for number in range(count):
        made.write(number)
    with db.read() as session:
        query = sa.select(ContactIdentity.contact_id).where(ContactIdentity.workspace_id == workspace)
        query = query.order_by(ContactIdentity.external_id)
        made.ids += session.scalars(query).all()
    made.check()
    return made


@pytest.fixture
def three(database: db.Database) -> Cast:
    return cast_of(3)


@pytest.fixture
def anywhere(any_database: db.Database) -> Cast:
    return cast_of(3)


def test_merging_moves_accounts_and_conversations_and_splitting_moves_them_back(anywhere: Cast) -> None:
    cast = anywhere
    cast.change(0, name="Rosa S.", email="rosa@example.com")
    cast.change(1, name="Rosa Clay", glaze="Sage")
    before = [cast.kept(number) for number in range(3)]
    found = cast.merge(0, 1, "name")
    cast.check()
    assert cast.kept(0) == ("Rosa Clay", "rosa@example.com", "Sage", None)
    with db.read() as session:
        assert people.get(session, cast.workspace, cast.ids[1], accounts=None).id == cast.ids[0]
    cast.write(1)
    cast.check()
    cast.split(found.id, 0)
    cast.check()
    assert [cast.kept(number) for number in range(3)] == before
    with db.read() as session:
        kinds = session.scalars(
            sa.select(DomainEvent.kind)
            .where(DomainEvent.kind.in_(("contact.merged", "contact.split")))
            .order_by(DomainEvent.id)
        ).all()
    assert kinds == ["contact.merged", "contact.split"]
    with pytest.raises(MergeNotFoundError):
        cast.split(found.id, 0)


def test_what_was_changed_since_stays_where_it_is(three: Cast) -> None:
    three.change(1, name="Rosa Clay", glaze="Sage")
    found = three.merge(0, 1)
    three.change(0, glaze="Ash")
    three.split(found.id, 0)
    assert three.kept(0)[:3] == (None, None, "Ash")
    assert three.kept(1)[:3] == ("Rosa Clay", None, "Sage")


def test_two_merges_give_back_in_any_order(three: Cast) -> None:
    three.change(0, name="First")
    three.change(1, name="Second")
    three.change(2, name="Third")
    before = [three.kept(number) for number in range(3)]
    one, two = three.merge(0, 1, "name"), three.merge(0, 2, "name")
    assert three.kept(0)[0] == "Third"
    three.split(one.id, 0)
    assert three.kept(0)[0] == "Third"
    three.split(two.id, 0)
    three.check()
    assert [three.kept(number) for number in range(3)] == before


def test_of_two_answers_the_stricter_stays(three: Cast) -> None:
    three.opt_out(1)
    three.opt_out(2)
    one, two = three.merge(0, 1), three.merge(0, 2)
    assert three.kept(0)[3] is not None
    three.split(one.id, 0)
    assert three.kept(0)[3] is not None, "the third is still a part, and wants nothing"
    three.split(two.id, 0)
    assert three.kept(0)[3] is None
    found = three.merge(0, 1)
    three.split(found.id, 0)
    assert [three.kept(number)[3] is None for number in range(3)] == [True, False, False]


def test_an_opt_out_of_both_holds_for_both(three: Cast) -> None:
    found = three.merge(0, 1)
    with clock.travel(timedelta(minutes=1)):
        three.opt_out(0)
    three.split(found.id, 0)
    assert three.kept(0)[3] is not None
    assert three.kept(1)[3] is not None


def test_what_cannot_be_merged_says_why(three: Cast) -> None:
    with pytest.raises(MergeError):
        three.merge(0, 0)
    with pytest.raises(ContactFieldError):
        three.merge(0, 1, "height")
    three.merge(0, 1)
    with pytest.raises(ContactNotFoundError):
        three.merge(2, 1)
    do(consent._set_blocked, three.workspace, three.ids[2], True)
    with pytest.raises(MergeError, match="blocked"):
        three.merge(0, 2)
    for seen, refusal in (((0, 2), NotAllTheirsError), ((0,), ContactNotFoundError)):
        with pytest.raises(refusal):
            do(
                merging.merge,
                three.workspace,
                three.ids[0],
                three.ids[2],
                sees=frozenset(three.accounts[at].id for at in seen),
            )
    three.check()


def test_a_block_holds_for_both_after_they_were_split(three: Cast) -> None:
    found = three.merge(0, 1)
    do(consent._set_blocked, three.workspace, three.ids[0], True)
    three.split(found.id, 0)
    with db.read() as session:
        assert all(session.get_one(Contact, id_).blocked_at for id_ in three.ids[:2])


def test_a_part_of_a_part_goes_along_and_comes_back(three: Cast) -> None:
    inner = three.merge(1, 2)
    outer = three.merge(0, 1)
    three.check()
    with pytest.raises(MergeNotFoundError):
        three.split(inner.id, 1)
    three.split(outer.id, 0)
    three.check()
    three.split(inner.id, 1)
    three.check()


def test_erasing_one_erases_those_who_are_a_part_of_it(three: Cast) -> None:
    three.change(1, name="Rosa Clay", glaze="Sage")
    three.merge(0, 1, "name")
    do(erasure.erase, three.workspace, three.ids[0])
    with db.read() as session:
        assert [session.get_one(Contact, id_).name for id_ in three.ids[:2]] == [None, None]
        assert attributes.values_of(session, three.ids) == {}
        assert session.scalars(sa.select(ContactMerge.id)).all() == []


def test_messages_that_arrive_meanwhile_belong_to_their_account(anywhere: Cast) -> None:
    """Somebody merges and splits while everybody writes; nobody waits for another for ever."""
    cast, troubles = anywhere, []
    stop = threading.Event()

    def talk(number: int) -> None:
        count = 0
        try:
            while not stop.is_set() and count < 40:
                count += 1
                change = toys.received("hi", contact=f"c{number}", external_id=f"t{number}-{count}")
                toys.apply(cast.accounts[number], change)
        except BaseException as error:  # noqa: BLE001 - told by the test
            troubles.append(error)
        counts.append(count)

    counts: list[int] = []
    threads = [threading.Thread(target=talk, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            inner = cast.merge(1, 2)
            outer = cast.merge(0, 1)
            cast.split(outer.id, 0)
            cast.split(inner.id, 1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert troubles == []
    cast.messages += sum(counts)
    cast.check()


# ---- any order of merges, splits, messages and changes -----------------------------------------------------


FEW = 4
Step = tuple[str, int, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("merge", "merge", "split", "split", "write", "change", "clear", "opt_out")),
        st.integers(0, FEW - 1),
        st.integers(0, FEW - 1),
        st.sampled_from(("", "name", "email", "glaze")),
    ),
    min_size=1,
    max_size=14,
)


def live(cast: Cast, steps: list[Step]) -> None:
    """Take *steps*, and hold everything to what the merges that hold say after each."""
    marks = 0
    for what, one, other, name in steps:
        first, second = cast.root(one), other if what == "write" else cast.root(other)
        if what == "write":
            cast.write(second)
        elif what == "merge" and first != second:
            cast.merge(first, second, *filter(None, (name.replace("glaze", f"attribute:{cast.glaze}"),)))
        elif what == "split":
            mine = [held for held in cast.merges if held[1] == first]
            if mine:
                cast.split(mine[second % len(mine)][0], first)
        elif what == "change":
            marks += 1
            values = {"name": f"N{marks}", "email": f"e{marks}@example.com", "glaze": f"G{marks}"}
            cast.change(first, **{name or "name": values[name or "name"]})
        elif what == "clear":
            cast.change(first, **{name or "name": None})
        elif what == "opt_out":
            cast.opt_out(first)
        cast.check()
    # What is merged only now is split as it was, the last merge first.
    before = [cast.kept(number) for number in range(FEW)]
    roots = [number for number in range(FEW) if not cast.is_part(number)]
    made = [(cast.merge(roots[0], other, "name", "email"), roots[0]) for other in roots[1:]]
    cast.check()
    for found, number in reversed(made):
        cast.split(found.id, number)
    cast.check()
    assert [cast.kept(number) for number in range(FEW)] == before
    # And in the end everybody can be one of their own again.
    while cast.merges:
        loose = next(one for one in cast.merges if not cast.is_part(one[1]))
        cast.split(loose[0], loose[1])
        cast.check()


HELD = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=25, **HELD)
@given(steps=STEPS)
def test_whatever_is_merged_and_split_nothing_is_lost(database: db.Database, steps: list[Step]) -> None:
    live(cast_of(FEW), steps)


@pytest.mark.slow
@settings(max_examples=100, **HELD)
@given(steps=STEPS)
def test_the_same_on_every_database(any_database: db.Database, steps: list[Step]) -> None:
    live(cast_of(FEW), steps)


# ---- the pages -------------------------------------------------------------------------------------------


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def test_a_likely_double_is_offered_with_its_reasons_until_somebody_says_no(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa.sample", "Rosa Clay", "The lid arrived cracked", scene.ago(hours=2))
    scene.said("clay.by.rosa", "rosa CLAY", "Is it me again?", scene.ago(hours=1))
    scene.said("rosa.other", "Rosa", "Hello", scene.ago(hours=1))
    with db.read() as session:
        everybody = session.scalars(sa.select(Contact.id)).all()
    db.write(documents.refresh_contacts, everybody)
    rosa, double = contact_of(scene, "rosa.sample"), contact_of(scene, "clay.by.rosa")
    page = desk.browser.get(page_of(desk, rosa)).text
    assert "may be the same person: the same name." in page
    assert f"with={double}" in page
    assert (
        "may be the same person" not in desk.browser.get(page_of(desk, contact_of(scene, "rosa.other"))).text
    )
    answer = post(desk, page_of(desk, rosa, "/merge"), **{"with": str(double), "different": "1"})
    assert "Marked as two different people." in answer.text
    for id_ in (rosa, double):
        assert "may be the same person" not in desk.browser.get(page_of(desk, id_)).text


def test_two_are_compared_merged_and_split_on_the_page(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa.sample", "Rosa S.", "The lid arrived cracked", scene.ago(hours=2))
    scene.said("clay.by.rosa", "Rosa Clay", "It is me again", scene.ago(hours=1))
    rosa, double = contact_of(scene, "rosa.sample"), contact_of(scene, "clay.by.rosa")
    with db.read() as session:
        everybody = session.scalars(sa.select(Contact.id)).all()
    db.write(documents.refresh_contacts, everybody)
    merge = page_of(desk, rosa, "/merge")
    assert f"with={double}" in desk.browser.get(f"{merge}?q=clay").text
    page = desk.browser.get(f"{merge}?with={double}").text
    assert 'name="take:name" value="2"' in page
    assert "2 conversations, 2 messages" in page
    assert desk.browser.get(f"{merge}?with={rosa}").status_code == 409
    shown = post(desk, merge, **{"with": str(double), "take:name": "2"}).text
    assert shown.count("Contacts merged, 1 account moved.") == 1
    assert "<title>Rosa Clay" in shown
    assert "It is me again" in shown
    db.write(documents.refresh_contacts, everybody)
    assert "may be the same person" not in desk.browser.get(page_of(desk, rosa)).text
    moved = desk.browser.get(page_of(desk, double))
    assert moved.headers["Location"].endswith(f"/contacts/{rosa}")
    with db.read() as session:
        (merged,) = session.scalars(sa.select(ContactMerge.id)).all()
    back = post(desk, page_of(desk, rosa, f"/split/{merged}")).text
    assert "Contacts split." in back
    assert "It is me again" in back
    assert "<title>Rosa S." in desk.browser.get(page_of(desk, rosa)).text
    assert post(desk, page_of(desk, rosa, f"/split/{merged}")).status_code == 404
