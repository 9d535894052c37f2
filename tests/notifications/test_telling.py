"""Who is told of what: the rules by example, once each, and never of what does not concern somebody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events.kinds.conversations import CONVERSATION_REPLY_DUE, CONVERSATION_WINDOW_CLOSING, OfDue
from host.events.kinds.rules import RULE_TOLD, OfRule
from host.events.models import ActorKind
from host.events.writing import Happened, record
from host.inbox import erasure, outcome, presence
from host.inbox.apply.changes import apply_changes
from host.inbox.conversation_actions import mark_read, set_fields
from host.inbox.teams import teams
from host.models.inbox import Conversation, Message, PresenceState
from host.models.mentions import Mention
from host.models.notifications import Notification, NotificationKey
from host.models.users import MemberAccount, Membership, User
from host.notifications import notify
from host.notifications.rules import Kind, Way
from tests import helpers
from tests.helpers import do, work
from tests.inbox import scenes, toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.notifications.telling import again, choose, mention, tell, told


@pytest.fixture
def bo(desk: Desk) -> int:
    return helpers.make_user(name="Bo T.", workspace=desk.workspace).id


def due(desk: Desk, conversation: int, kind: str, until: str = "2026-11-20T14:00:00+00:00") -> None:
    happened = Happened(
        desk.workspace,
        kind,
        "conversation",
        account_id=desk.account.id,
        conversation_id=conversation,
        facts=OfDue(until=until),
    )
    db.write(record, happened)


def failed(scene: Scene, author: int) -> None:
    (message,) = scene.reply("ana", "Here it is.", clock.now(), by=author)
    db.write(outcome.record_failed, message, scenes.LIMIT)


def limit(user: int, workspace: int, *accounts: int) -> None:
    def use_case(session: Session) -> None:
        session.get_one(Membership, (user, workspace)).limited = True
        session.add_all(
            MemberAccount(user_id=user, workspace_id=workspace, account_id=id_) for id_ in accounts
        )

    db.write(use_case)


WAYS = dict.fromkeys(Kind, (Way.DESK,))
HAPPENS: dict[str, tuple[Callable[[Scene, int, int], object], str, bool]] = {
    # What happens while Bo has the conversation or nobody has it, what Bo is told, and whether Bo has it.
    "given": (lambda scene, mia, bo: None, "assigned", True),
    "customer writes": (lambda s, mia, bo: s.said("ana", "", "Hello?", clock.now()), "reply", True),
    "mentioned": (lambda s, mia, bo: mention(s, "ana", "@Bo T. is it?", mia), "mention", False),
    "failed": (lambda s, mia, bo: failed(s, bo), "failed", False),
    "window": (
        lambda s, mia, bo: due(s.desk, s.conversation("ana"), CONVERSATION_WINDOW_CLOSING),
        "window",
        True,
    ),
    "due": (
        lambda s, mia, bo: due(s.desk, s.conversation("ana"), CONVERSATION_REPLY_DUE),
        "due",
        True,
    ),
    "nobody's": (lambda s, mia, bo: s.said("ana", "", "Hello?", clock.now()), "new", False),
    "nobody's, late": (
        lambda s, mia, bo: due(s.desk, s.conversation("ana"), CONVERSATION_REPLY_DUE),
        "new_late",
        False,
    ),
}


@pytest.mark.parametrize("name", HAPPENS)
def test_who_is_told_of_what(scene: Scene, bo: int, name: str) -> None:
    happens, kind, has_it = HAPPENS[name]
    mia = scene.desk.mia.id
    choose(bo, WAYS)
    tell()
    assert told(bo) == [("new", 1)]
    db.write(notify.read_all, bo)
    if has_it:
        scene.assign("ana", bo, mia, clock.now())
        tell()
    happens(scene, mia, bo)
    tell()
    expected = [("assigned", 1)] if has_it else []
    assert told(bo) == expected + ([] if kind == "assigned" else [(kind, 1)])
    assert told(mia) == [], "nobody is told of what they did, or did not choose"
    again()
    assert len(told(bo)) == len(expected) + (kind != "assigned"), "each once, however often it is read"


@pytest.mark.parametrize("name", HAPPENS)
def test_nobody_hears_of_accounts_they_do_not_see(scene: Scene, bo: int, name: str) -> None:
    happens, _kind, has_it = HAPPENS[name]
    choose(bo, WAYS)
    if has_it:
        scene.assign("ana", bo, scene.desk.mia.id, clock.now())
    happens(scene, scene.desk.mia.id, bo)
    limit(bo, scene.desk.workspace, toys.make_account(scene.desk.workspace).id)
    tell()
    assert told(bo) == []


def by_rule(desk: Desk, conversation: int, rule: int, **whom: int) -> None:
    happened = Happened(
        desk.workspace,
        RULE_TOLD,
        account_id=desk.account.id,
        conversation_id=conversation,
        actor_kind=ActorKind.SYSTEM,
        facts=OfRule(rule=rule, **whom),
    )
    db.write(record, happened)


def team(desk: Desk, *people: int, name: str = "Orders") -> int:
    def make(session: Session) -> int:
        return teams.create(work(session, desk.workspace), name=name, people=dict.fromkeys(people, False)).id

    return db.write(make)


def test_a_rule_tells_a_member_or_a_team_and_says_its_name(scene: Scene, bo: int, wholesale: int) -> None:
    desk, mia = scene.desk, scene.desk.mia.id
    orders, ana = team(desk, bo, mia), scene.conversation("ana")
    by_rule(desk, ana, wholesale, person=bo)
    tell()
    again()
    assert (told(bo), told(mia)) == ([("rule", 1)], [])
    with db.read() as session:
        [row] = session.scalars(sa.select(Notification).where(Notification.user_id == bo))
    assert row.sentence % row.details == "The rule Wholesale notified you about this conversation."
    assert (row.in_bell, row.ways, row.path) == (True, "browser,push", f"/w/{desk.workspace}/inbox/{ana}")
    limit(mia, desk.workspace, toys.make_account(desk.workspace).id)
    by_rule(desk, ana, wholesale, team=orders)
    tell()
    again()
    assert told(bo) == [("rule", 2)], "what comes while a notice is unread is told in the same one"
    assert told(mia) == [], "who does not see the account"
    by_rule(desk, ana, wholesale, team=2**40)
    by_rule(desk, ana, wholesale)
    tell()
    assert told(bo) == [("rule", 2)]


def test_a_rule_that_is_gone_has_no_name(scene: Scene, bo: int) -> None:
    by_rule(scene.desk, scene.conversation("ana"), 2**40, person=bo)
    tell()
    with db.read() as session:
        [row] = session.scalars(sa.select(Notification).where(Notification.user_id == bo))
    assert row.sentence % row.details == "A rule, since deleted, notified you about this conversation."


def test_who_looks_is_not_told_by_a_rule(scene: Scene, bo: int, wholesale: int) -> None:
    ids = {"workspace_id": scene.desk.workspace, "conversation_id": scene.conversation("ana")}
    db.write(
        presence.be_present, **ids, user_id=bo, state=PresenceState.VIEWING, now=clock.now(), accounts=None
    )
    by_rule(scene.desk, scene.conversation("ana"), wholesale, person=bo)
    tell()
    assert told(bo) == []


def test_who_chose_nothing_is_told_nothing(scene: Scene, bo: int) -> None:
    choose(bo, {Kind.ASSIGNED: (), Kind.MENTION: ()})
    scene.assign("ana", bo, scene.desk.mia.id, clock.now())
    mention(scene, "ana", "@Bo T.", scene.desk.mia.id)
    tell()
    assert told(bo) == []


def test_several_messages_are_one_notice_until_it_is_read(scene: Scene, bo: int) -> None:
    scene.assign("ana", bo, scene.desk.mia.id, clock.now())
    for text in ("One", "Two"):
        scene.said("ana", "", text, clock.now())
    tell()
    scene.said("ana", "", "Three", clock.now())
    tell()
    assert told(bo) == [("assigned", 1), ("reply", 3)]
    db.write(notify.read_all, bo)
    scene.said("ana", "", "Four", clock.now())
    tell()
    assert told(bo) == [("reply", 1)]


def test_many_conversations_at_once_are_one_notice(scene: Scene, bo: int) -> None:
    for number in range(7):
        scene.said(f"c{number}", f"C {number}", "Hello", scene.now)
        scene.assign(f"c{number}", bo, scene.desk.mia.id, scene.now)
    tell()
    assert told(bo) == [("assigned", 7)]
    for number in range(6):
        scene.said(f"d{number}", f"D {number}", "Hello", scene.now)
        scene.assign(f"d{number}", bo, scene.desk.mia.id, scene.now)
    tell()
    assert told(bo) == [("assigned", 13)]
    page = helpers.client_for(scene.desk.app, user_of(bo)).get("/notifications").text
    assert "Mia R. assigned you 13 conversations." in page


def user_of(user_id: int) -> User:
    with db.read() as session:
        return session.get_one(User, user_id)


def test_who_looks_or_has_read_is_not_told(scene: Scene, bo: int) -> None:
    ids = {"workspace_id": scene.desk.workspace, "conversation_id": scene.conversation("ana")}
    scene.assign("ana", bo, scene.desk.mia.id, clock.now())
    tell()
    looking = {**ids, "user_id": bo, "state": PresenceState.VIEWING, "now": clock.now()}
    db.write(presence.be_present, **looking, accounts=None)
    assert told(bo) == [], "what they were told is seen once they look"
    scene.said("ana", "", "While Bo looks", clock.now())
    mention(scene, "ana", "@Bo T.", scene.desk.mia.id)
    tell()
    assert told(bo) == []
    with clock.travel(timedelta(minutes=5)):  # away, and read in a tab that is closed by now
        scene.said("ana", "", "Read already", clock.now())
        do(mark_read, scene.desk.workspace, scene.conversation("ana"), user_id=bo, until=10_000)
        tell()
        assert told(bo) == []
        scene.said("ana", "", "Not read", clock.now())
        tell()
        assert told(bo) == [("reply", 1)]


def test_what_is_past_is_told_to_nobody(scene: Scene, bo: int) -> None:
    choose(bo, WAYS)
    scene.assign("ana", bo, scene.desk.mia.id, clock.now())
    with clock.travel(timedelta(days=2)):
        tell()
    assert told(bo) == [], "nor what happened before the workers stood still"


def test_imported_history_tells_nobody(scene: Scene, bo: int) -> None:
    choose(bo, WAYS)
    tell()
    db.write(notify.read_all, bo)
    scene.assign("ana", bo, bo, clock.now())
    before = toys.everything(Message)
    for contact in ("ana", "old"):
        change = toys.received("From the history", contact=contact)
        item = toys.incoming(scene.desk.account, change, adapter=toys.WINDOWED, imported=True)
        db.write(apply_changes, [item])
    assert len(toys.everything(Message)) > len(before) + 1
    tell()
    assert told(bo) == []


def test_spam_and_what_is_put_away_tells_nobody(scene: Scene, bo: int) -> None:
    scene.assign("ana", bo, bo, clock.now())

    def mark(session: Session) -> None:
        session.get_one(Conversation, scene.conversation("ana")).spam_at = clock.now()

    db.write(mark)
    scene.said("ana", "", "Buy!", clock.now())
    due(scene.desk, scene.conversation("ana"), CONVERSATION_REPLY_DUE)
    tell()
    assert told(bo) == []


def test_a_customer_who_is_erased_is_in_no_notice(scene: Scene, bo: int) -> None:
    note = mention(scene, "ana", "@Bo T. has Ana's parcel", scene.desk.mia.id)
    tell()
    browser = helpers.client_for(scene.desk.app, user_of(bo))
    assert "Ana Q." in browser.get("/notifications").text
    with db.read() as session:
        contact = session.get_one(Conversation, scene.conversation("ana")).contact_id
    do(erasure.erase, scene.desk.workspace, contact)
    assert "Ana Q." not in browser.get("/notifications").text
    assert [one.message_id for one in toys.everything_of(Mention) if one.message_id == note] == []


STEPS = st.lists(
    st.sampled_from(["writes", "read", "told", "gone over again", "given", "taken"]), min_size=1, max_size=12
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_never_two_for_one_thing(scene: Scene, bo: int, steps: list[str]) -> None:
    mia = scene.desk.mia.id
    for step in steps:
        match step:
            case "writes":
                scene.said("ana", "", "More", clock.now())
            case "read":
                db.write(notify.read_all, bo)
            case "told":
                tell()
            case "gone over again":
                again()
            case "given":
                scene.assign("ana", bo, mia, clock.now())
            case _:
                scene.assign("ana", mia, mia, clock.now())
    tell()
    with db.read() as session:
        keys = list(session.execute(sa.select(NotificationKey.user_id, NotificationKey.thing)))
        times = session.scalar(sa.select(sa.func.sum(Notification.times))) or 0
        unread = [
            (row.user_id, row.conversation_id)
            for row in session.scalars(
                sa.select(Notification).where(Notification.kind == "reply", Notification.read_at.is_(None))
            )
        ]
    assert len(set(keys)) == len(keys) == times, "what notices tell of is what was told, each thing once"
    assert len(unread) == len(set(unread)), "one unread notice of messages for a conversation"


def test_on_each_database(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    toys.apply(account, toys.received("Hello"))
    (conversation,) = toys.everything(Conversation)
    bo = toys.make_user(workspace, "Bo T.")

    mia = toys.make_user(workspace)
    tell()
    do(set_fields, workspace, conversation.id, {"assignee_id": bo}, actor=mia)
    for text in ("More", "And more"):
        toys.apply(account, toys.received(text))
        tell()
    assert told(bo) == [("assigned", 1), ("reply", 2)]
    again()
    assert told(bo) == [("assigned", 1), ("reply", 2)]
    db.write(notify.looked_at, bo, conversation.id)
    assert told(bo) == []
