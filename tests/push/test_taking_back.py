"""What a phone shows of a customer, with no page open, follows when there is nothing to be seen any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.inbox import erasure, retention
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation
from host.models.users import Role, Workspace
from host.notifications import notify, rules
from host.notifications.rules import Quiet
from host.users import members
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.scenes import Scene
from tests.notifications.telling import tell
from tests.push import phones
from tests.push.phones import Phone, push, waiting
from tests.push.service import PushService
from tests.push.test_sending import writes


@pytest.fixture
def allowed(any_scene: Scene) -> Scene:
    """A desk whose workspace allows names and text in pushes."""
    toys.change_row(Workspace, any_scene.desk.workspace, pushes_content=True)
    return any_scene


@pytest.fixture
def bo(allowed: Scene) -> int:
    """A colleague to whom Ana's conversation is assigned."""
    id_ = helpers.make_user(name="Bo T.", workspace=allowed.desk.workspace, role=Role.AGENT).id
    allowed.assign("ana", id_, allowed.desk.mia.id, allowed.ago(minutes=7))
    return id_


def erase(scene: Scene, contact: str = "ana") -> None:
    with db.read() as session:
        contact_id = session.get_one(Conversation, scene.conversation(contact)).contact_id
    place = scene.desk.workspace
    do(erasure.erase, place, contact_id)


def test_an_erased_customer_is_replaced_where_text_is_shown(allowed: Scene, service: PushService) -> None:
    mia = allowed.desk.mia.id
    phone, plain = Phone(service, mia, content=True), Phone(service, mia, "plain")
    writes(allowed, "My card is 4711")
    push()
    later = Phone(service, mia, "later", content=True)
    erase(allowed)
    push()
    shown, replaced = phone.shown
    path = allowed.desk.path(f"/{allowed.conversation('ana')}")
    assert (shown["title"], shown["body"]) == ("Ana Q.", "My card is 4711")
    assert replaced["title"] == "The customer was erased"
    assert (replaced["tag"], replaced["silent"], replaced["closes"]) == (shown["tag"], True, path)
    assert "actions" not in replaced
    assert "Ana" not in str(replaced)
    assert len(plain.shown) == 1, "it named nobody"
    assert later.shown == [], "it was never sent anything"
    assert waiting() == 0


def test_one_push_replaces_all_that_names_an_erased_customer(allowed: Scene, service: PushService) -> None:
    phone = Phone(service, allowed.desk.mia.id, content=True)
    for text in ("My card is 4711", "And 4712"):
        writes(allowed, text)
        push()
        db.write(notify.read_all, phone.user)
    assert len({one["tag"] for one in phone.shown}) == 2
    erase(allowed)
    push()
    assert [one["title"] for one in phone.shown[2:]] == ["The customer was erased"]


def test_it_is_replaced_in_quiet_hours_too(allowed: Scene, service: PushService) -> None:
    phone = Phone(service, allowed.desk.mia.id, content=True)
    writes(allowed)
    push()
    always = Quiet(0, 0, frozenset(), frozenset(range(7)), "Europe/Berlin")
    db.write(rules.set_quiet_hours, phone.user, always)
    erase(allowed)
    push()
    assert [one["title"] for one in phone.shown] == ["Ana Q.", "The customer was erased"]


def test_an_erased_customer_who_writes_again_is_pushed_as_usual(allowed: Scene, service: PushService) -> None:
    phone = Phone(service, allowed.desk.mia.id, content=True)
    writes(allowed)
    push()
    erase(allowed)
    writes(allowed, "Me again")
    push()
    assert phone.shown[-1]["body"] == "Me again"
    assert "closes" not in phone.shown[-1]


def test_a_message_at_the_end_of_its_retention_is_replaced(allowed: Scene, service: PushService) -> None:
    phone = Phone(service, allowed.desk.mia.id, content=True)
    writes(allowed, "My card is 4711")
    push()
    old = clock.now() - timedelta(days=2)
    toys.change_row(Conversation, allowed.conversation("ana"), status="closed", created_at=old)
    db.write(retention.erase_portion, allowed.desk.workspace, clock.now() + timedelta(days=1), 0)
    push()
    assert [one["body"] for one in phone.shown] == ["My card is 4711", "The message was deleted"]
    assert phone.shown[-1]["silent"] is True


def test_whoever_left_the_workspace_keeps_nothing_of_it(
    allowed: Scene, bo: int, service: PushService
) -> None:
    phone = Phone(service, bo, content=True)
    writes(allowed, "My card is 4711")
    push()
    allowed.said("jon", "Jon B.", "Hello", clock.now())
    allowed.assign("jon", bo, allowed.desk.mia.id, clock.now())
    tell()
    push()
    before = len(phone.shown)
    db.write(members.remove, allowed.desk.workspace, bo)
    writes(allowed, "Another")
    push()
    (replaced,) = phone.shown[before:]
    assert replaced["title"] == "You are no longer in this workspace"
    assert (replaced["url"], replaced["closes"]) == ("/", f"/w/{allowed.desk.workspace}/")
    assert replaced["tag"] in {one["tag"] for one in phone.shown[:before]}
    assert phones.count_devices() == 0, "then its pushes end"


def test_what_was_queued_for_somebody_who_left_is_not_sent(
    allowed: Scene, bo: int, service: PushService
) -> None:
    phone = Phone(service, bo, content=True)
    writes(allowed, "My card is 4711")
    db.write(members.remove, allowed.desk.workspace, bo)
    assert waiting() == 0
    assert phones.count_devices() == 0
    push()
    assert phone.shown == []


def test_an_account_one_may_see_no_more_is_replaced(allowed: Scene, bo: int, service: PushService) -> None:
    phone = Phone(service, bo, content=True)
    writes(allowed, "My card is 4711")
    push()
    db.write(members.set_accounts, allowed.desk.workspace, bo, frozenset())
    push()
    *_, shown, replaced = phone.shown
    assert replaced["title"] == "You can no longer see this conversation"
    assert replaced["closes"] == shown["url"]
    assert phones.count_devices() == 1, "they are a member still"
    with db.read() as session:
        account = session.scalars(sa.select(ChannelAccount.id).limit(1)).one()
    db.write(members.set_accounts, allowed.desk.workspace, bo, frozenset({account}))
    push()
    assert phone.shown[-1] == replaced, "nothing is said again"
