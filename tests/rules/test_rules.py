"""Rules: what they are asked, what they do, and what they never do."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import running
from host.automation.actions import ActionTargets
from host.automation.deciding import BUDGET
from host.channels.directory import Directory
from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import deadlines
from host.delivery.worker import drain
from host.events import reading
from host.events.models import DomainEvent
from host.features import registry
from host.inbox import outcome, snoozing
from host.inbox.apply.changes import apply_changes
from host.inbox.canned import replies
from host.inbox.canned.replies import Viewer
from host.inbox.composition import forwarding
from host.inbox.contacts import consent
from host.inbox.conversation_actions import set_fields
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel, Label
from host.inbox.teams.errors import TeamNotFoundError
from host.inbox.teams.models import Team
from host.models.automation import AutomationRun
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import (
    Contact,
    Conversation,
    ConversationStatus,
    Direction,
    Handler,
    Message,
    Origin,
    Reaction,
    Snooze,
    SnoozeKind,
)
from host.models.queue import OutboxEntry
from host.models.users import Workspace
from host.rules import actions as rule_actions
from host.rules import evaluation
from host.rules import rules as rule_cases
from host.rules.body import EVENTS, Action, RuleError, RuleTargets, checked, given, plain
from host.rules.models import RuleState, RuleVersion
from host.sdk.capabilities import Capabilities, CopyLimits
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageEdited, MessageReacted, MessageUnsent
from host.sdk.rules import AskedAbout, React, RuleAction, RuleCondition, SendText
from host.webhooks import endpoints
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import Endpoint
from host.working_hours import hours
from tests.api.desks import open_api_desk
from tests.helpers import do
from tests.inbox import scenes, toys
from tests.rules.ruled import Ruled

BROKEN = {"if": "words", "words": ["broken", "in pieces"]}
SORRY = {"do": "say", "text": 'Sorry, {{contact.first_name || "there"}}!'}


def test_a_rule_acts_once_for_a_message(any_desk: Ruled) -> None:
    desk = any_desk
    label = desk.label("Complaint")
    rule = desk.rule(
        {"do": "label", "label": label}, SORRY, {"do": "note", "text": "Look"}, conditions=[BROKEN]
    )
    desk.said("ana", "It came BROKEN")
    desk.said("bob", "All is well, unbroken")
    desk.run()
    desk.read(again=True)
    desk.run()
    assert desk.automatic("ana") == ["Sorry, Ana!"]
    assert desk.automatic("bob") == []
    ran = desk.ran(rule)
    assert [(one.outcome, one.trace, one.done) for one in ran] == [
        ("did", [(True, "broken", None)], [("label", ""), ("say", ""), ("note", "")])
    ]
    assert ("labelled", "Complaint", None) in desk.lines("ana")
    assert desk.talk("ana").handled_by == Handler.NOBODY
    assert desk.talk("ana").waiting_since is not None


def test_in_shadow_it_says_what_it_would_have_done(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule(SORRY, {"do": "close"}, conditions=[BROKEN], state=RuleState.SHADOW)
    desk.said("ana", "broken")
    desk.run()
    assert desk.automatic("ana") == []
    assert desk.talk("ana").status == ConversationStatus.OPEN
    assert [(one.outcome, one.done) for one in desk.ran(rule)] == [("shadow", [("say", ""), ("close", "")])]


def test_rules_are_asked_before_anybody_is_greeted(automated: Ruled) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello")
    desk.rule({"do": "label", "label": desk.label("new")})
    desk.said()
    desk.read()
    assert [run[0] for run in desk.runs()] == ["rules", "words"]


def test_what_rules_do_starts_none(automated: Ruled) -> None:
    desk = automated
    one, other = desk.label("One"), desk.label("Other")
    added = "conversation.labelled"
    desk.rule({"do": "label", "label": one})
    first = desk.rule({"do": "label", "label": other}, when=added, name="There")
    second = desk.rule({"do": "unlabel", "label": one}, when="conversation.labelled", name="And back")
    desk.said("ana", "hello")
    desk.run()
    desk.run()
    assert desk.ran(first) == desk.ran(second) == []


def test_a_rule_does_not_see_what_the_one_before_it_did(automated: Ruled) -> None:
    desk = automated
    label = desk.label("Complaint")
    has = {"if": "conversation", "filter": {"labels": [label]}}
    desk.rule({"do": "label", "label": label}, name="First")
    second = desk.rule({"do": "close"}, conditions=[has], name="Second")
    desk.said("ana", "hello")
    desk.run()
    assert desk.ran(second) == []
    assert desk.talk("ana").status == ConversationStatus.OPEN


# ---- what starts one -----------------------------------------------------------------------------------


def _set(desk: Ruled, changes: Any) -> None:
    do(set_fields, desk.desk.workspace, desk.scene.conversation("ana"), changes, actor=desk.desk.mia.id)


def _label(desk: Ruled, **change: list[int]) -> None:
    talk = desk.scene.conversation("ana")
    do(labels.set_labels, desk.desk.workspace, talk, actor=desk.desk.mia.id, **change)


def _labelled(desk: Ruled) -> None:
    _label(desk, add=[desk.label("Lost")])


def _unlabelled(desk: Ruled) -> None:
    label = desk.label("Lost")
    _label(desk, add=[label])
    _label(desk, remove=[label])


def _waited(desk: Ruled) -> None:
    desk.run()
    with clock.travel(timedelta(hours=3)):
        desk.run()


def _due(desk: Ruled) -> None:
    toys.change_row(ChannelAccount, desk.desk.account.id, reply_target=60)
    _watched(desk, timedelta(minutes=58))


def _watched(desk: Ruled, later: timedelta) -> None:
    with clock.travel(later):
        deadlines.watch(desk.desk.generation.directory)
        desk.run()


def _handed_over(desk: Ruled) -> None:
    toys.change_row(Conversation, desk.talk().id, handled_by=Handler.AUTOMATION)
    _set(desk, {"handled_by": Handler.PERSON})


def _reopened(desk: Ruled) -> None:
    _set(desk, {"status": ConversationStatus.CLOSED})
    desk.said(text="Once more")


def _snoozed(desk: Ruled) -> None:
    _set(desk, {"snooze": Snooze(SnoozeKind.UNTIL, clock.now() + timedelta(hours=1))})


def _woken(desk: Ruled) -> None:
    _snoozed(desk)
    with clock.travel(timedelta(hours=2)):
        assert snoozing.wake_due() == 1
        desk.run()


def _spam(desk: Ruled) -> None:
    _set(desk, {"spam": True})


def _no_spam(desk: Ruled) -> None:
    _spam(desk)
    _set(desk, {"spam": False})


def _sent(desk: Ruled) -> str:
    return desk.scene.sent("ana", "Here you are.", clock.now())


def _failed(desk: Ruled) -> None:
    (message,) = desk.scene.reply("ana", "Here you are.", clock.now())
    db.write(outcome.record_failed, message, scenes.LIMIT)


def _unconfirmed(desk: Ruled) -> None:
    (message,) = desk.scene.reply("ana", "Here you are.", clock.now())
    db.write(outcome.record_sending, message)
    db.write(outcome.record_unknown, message, scenes.SILENT)


def _said_of(change: Any, **values: Any) -> Callable[[Ruled], None]:
    def happens(desk: Ruled) -> None:
        desk.scene.apply(change(contact="ana", at=clock.now(), **values))

    return happens


class _Forwarding(toys.Toy):
    """One that can pass messages on to addresses."""

    capabilities = Capabilities(forwards=True, copies=CopyLimits(most=2, clean=lambda one: one))

    def id_for_address(self, account: AccountRef, text: str) -> str | None:
        return text


def _forwarded(desk: Ruled) -> None:
    do(
        forwarding.forward,
        desk.desk.workspace,
        desk.scene.conversation("ana"),
        None,
        account_id=None,
        to=["ben@example.org"],
        note="",
        files=False,
        reply_key=str(uuid.uuid4()),
        directory=Directory((_Forwarding(),)),
        actor=desk.desk.mia.id,
    )


FIRST = "scene-in-1"
"""What the customer said first."""
HAPPENS: Mapping[str, Callable[[Ruled], object]] = {
    "message.received": lambda desk: desk.said(text="And the lid?"),
    "conversation.created": lambda desk: desk.said("bob"),
    "conversation.unanswered": _waited,
    "conversation.reply_due": _due,
    "conversation.window_closing": lambda desk: _watched(desk, timedelta(days=6, hours=23)),
    "conversation.labelled": _labelled,
    "conversation.unlabelled": _unlabelled,
    "conversation.assigned": lambda desk: _set(desk, {"assignee_id": desk.desk.mia.id}),
    "conversation.team_assigned": lambda desk: _set(desk, {"team_id": desk.team()}),
    "conversation.handler_changed": _handed_over,
    "conversation.closed": lambda desk: _set(desk, {"status": ConversationStatus.CLOSED}),
    "conversation.reopened": _reopened,
    "conversation.snoozed": _snoozed,
    "conversation.woken": _woken,
    "conversation.marked_spam": _spam,
    "conversation.unmarked_spam": _no_spam,
    "conversation.forwarded": _forwarded,
    "note.added": lambda desk: desk.scene.note("ana", "Look!", clock.now(), desk.desk.mia.id),
    "message.sent": _sent,
    "message.read": lambda desk: desk.scene.seen("ana", _sent(desk)),
    "message.reacted": _said_of(MessageReacted, external_id=FIRST, emoji="❤️"),
    "message.failed": _failed,
    "message.unconfirmed": _unconfirmed,
    "message.edited": _said_of(MessageEdited, external_id=FIRST, text="Good evening", number=1),
    "message.unsent": _said_of(MessageUnsent, external_id=FIRST),
}


def test_everything_a_rule_may_wait_for_happens_here() -> None:
    assert HAPPENS.keys() == EVENTS.keys()


@pytest.mark.parametrize("when", HAPPENS)
def test_what_happens_starts_a_rule(automated: Ruled, when: str) -> None:
    desk = automated
    if when != "conversation.unanswered":
        desk.said(text="Good morning")
        desk.read()
    else:
        desk.said("bob")
    hours_ = {"hours": 2} if when == "conversation.unanswered" else {}
    rule = desk.rule({"do": "note", "text": "Seen"}, when=when, **hours_)
    others = [one for one in EVENTS if one != when]
    other = desk.rule(
        {"do": "close"}, when=others[0], conditions=[{"if": "words", "words": ["never"]}], name="Other"
    )
    if when == "conversation.unanswered":
        desk.said()
    HAPPENS[when](desk)
    desk.run()
    ran = desk.ran(rule)
    contacts = {"conversation.unanswered": 2}.get(when, 1)
    assert [(one.outcome, one.reason, one.version) for one in ran] == [("did", "", 1)] * contacts
    assert desk.ran(other) == []


# ---- what it does --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shop:
    """What the actions of a test name."""

    desk: Ruled
    label: int
    other: int
    ana: int
    bo: int
    team: int
    reply: int
    endpoint: int


@pytest.fixture
def shop(automated: Ruled) -> Shop:
    desk = automated
    wanted = replies.CannedReplyInput(shortcut="thanks", title="Thanks", texts={replies.ANY: "Thank you!"})
    who = Viewer(None, keeps=True)
    canned = do(replies.create, desk.desk.workspace, wanted, who)
    told = EndpointSettings("https://example.com/hook", ["rule.called"])
    endpoint, _ = do(endpoints.create, desk.desk.workspace, told, {"rule.called"})
    ana, bo = desk.person("Ana"), desk.person("Bo", on=False)
    other = desk.label("Other")
    found = Shop(desk, desk.label("Complaint"), other, ana, bo, desk.team(ana, bo), canned.id, endpoint.id)
    desk.said(text="Good morning")
    _label(desk, add=[other])
    desk.read()
    return found


def _facts(kind: str) -> list[tuple[str | None, str, str | None]]:
    with db.read() as session:
        rows = session.scalars(sa.select(DomainEvent).where(DomainEvent.kind == kind))
        return [(row.actor_kind, row.data or "", row.kind) for row in rows]


def _labels(desk: Ruled) -> set[int]:
    with db.read() as session:
        return set(session.scalars(sa.select(ConversationLabel.label_id)))


DOES: Mapping[str, tuple[Callable[[Shop], dict[str, Any]], Callable[[Shop], object], object]] = {
    "label": (lambda shop: {"label": shop.label}, lambda shop: _labels(shop.desk) - {shop.other}, "label"),
    "unlabel": (lambda shop: {"label": shop.other}, lambda shop: _labels(shop.desk), set()),
    "assign": (lambda shop: {"person": shop.bo}, lambda shop: shop.desk.talk().assignee_id, "bo"),
    "assignNobody": (lambda shop: {}, lambda shop: shop.desk.talk().assignee_id, None),
    "team": (lambda shop: {"team": shop.team}, lambda shop: shop.desk.talk().team_id, "team"),
    "snooze": (lambda shop: {"when": "reply"}, lambda shop: shop.desk.talk().snooze_kind, "reply"),
    "close": (lambda shop: {}, lambda shop: shop.desk.talk().status, "closed"),
    "spam": (lambda shop: {}, lambda shop: shop.desk.talk().spam_at is not None, True),
    "reply": (lambda shop: {"canned": shop.reply}, lambda shop: shop.desk.automatic(), ["Thank you!"]),
    "note": (lambda shop: {"text": "Look"}, lambda shop: ("note", None, None) in shop.desk.lines(), True),
    "say": (
        lambda shop: {"text": 'Hi {{contact.first_name || "you"}}'},
        lambda shop: shop.desk.automatic(),
        ["Hi Ana"],
    ),
    "giveOut": (lambda shop: {"team": shop.team}, lambda shop: shop.desk.talk().assignee_id, "ana"),
    "tell": (lambda shop: {"team": shop.team}, lambda shop: len(_facts("rule.told")), 1),
    "webhook": (lambda shop: {"endpoint": shop.endpoint}, lambda shop: len(_facts("rule.called")), 1),
    "addon": (lambda shop: {"name": "toy.heart"}, lambda shop: shop.desk.automatic(), ["❤️ Good day"]),
}
HEART = RuleAction("toy.heart", "email", "say it", lambda about: SendText(f"❤️ {about.text}"))


def _with(desk: Ruled, *actions: RuleAction, conditions: Sequence[RuleCondition] = ()) -> None:
    desk.desk.generation.directory = Directory([toys.RICH], conditions=conditions, actions=actions)


def test_everything_a_rule_may_do_is_done_here() -> None:
    elsewhere = {"publicly", "privately"}  # see test_campaigns
    elsewhere |= {"sequence"}  # see tests/sequences/test_starts_by_rules
    assert DOES.keys() | elsewhere == {str(one.__struct_config__.tag) for one in get_args(Action)}


@pytest.mark.parametrize("does", DOES)
def test_what_a_rule_does(shop: Shop, does: str) -> None:
    names, found, wanted = DOES[does]
    _with(shop.desk, HEART)
    rule, start = shop.desk.rule({"do": does, **names(shop)}), shop.desk.position
    shop.desk.said(text="Good day")
    shop.desk.run()
    named = {"label": {shop.label}, "bo": shop.bo, "ana": shop.ana, "team": shop.team}
    assert found(shop) == (named.get(wanted, wanted) if isinstance(wanted, str) else wanted)
    assert [(one.outcome, one.done) for one in shop.desk.ran(rule)] == [("did", [(does, "")])]
    # All of it is because of the message, and the desk's own doing.
    with db.read() as session:
        made = session.scalars(sa.select(DomainEvent).where(DomainEvent.cause_id.is_not(None))).all()
    assert {one.actor_kind for one in made if one.kind} <= {"system"}
    assert len({one.root_id for one in made}) <= 1
    before = [*shop.desk.runs(), *shop.desk.automatic()]
    shop.desk.position = start
    shop.desk.run()
    assert [*shop.desk.runs(), *shop.desk.automatic()] == before


def test_an_addon_reacts_to_the_message(automated: Ruled) -> None:
    desk = automated
    _with(desk, RuleAction("toy.heart", "email", "react", lambda about: React("❤️")))
    rule = desk.rule({"do": "addon", "name": "toy.heart"})
    desk.said()
    desk.run()
    assert [one.done for one in desk.ran(rule)] == [[("addon", "")]]
    assert [(one.emoji, one.actor, one.author_id) for one in toys.everything(Reaction)] == [
        ("❤️", "team", None)
    ]


def _broken(*_given: object) -> Any:
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (RuleAction("toy.heart", "email", "say it", _broken), "addon_failed"),
        (RuleAction("toy.heart", "email", "say it", lambda about: None), "nothing_to_do"),
        (RuleAction("toy.heart", "other", "say it", lambda about: SendText("Hi")), "other_channel"),
        (None, "addon_off"),
    ],
)
def test_an_action_that_is_refused_leaves_the_others(
    shop: Shop, action: RuleAction | None, reason: str
) -> None:
    desk = shop.desk
    _with(desk, HEART)
    heart = {"do": "addon", "name": "toy.heart"}
    rule = desk.rule({"do": "note", "text": "Look"}, heart, {"do": "label", "label": shop.label})
    after = desk.rule({"do": "close"}, name="After")
    _with(desk, *([] if action is None else [action]))
    desk.said()
    desk.run()
    (ran,) = desk.ran(rule)
    assert (ran.outcome, ran.reason) == ("refused", reason)
    assert ran.done == [("note", ""), ("addon", reason), ("label", "")]
    assert shop.label in _labels(desk)
    assert desk.automatic() == []
    assert desk.lines()[-1][0] == "closed"
    assert [one.outcome for one in desk.ran(after)] == ["did"]


def test_what_a_refused_action_had_begun_is_taken_back(shop: Shop) -> None:
    """The team is written before it is found that nobody has the place: only the refused one is undone."""
    desk = shop.desk
    rule = desk.rule({"do": "label", "label": shop.label}, {"do": "giveOut", "team": shop.team})
    real = rule_actions.set_fields

    def fails(session: Session, *given: Any, **named: Any) -> bool:
        real(session, *given, **named)
        raise TeamNotFoundError

    desk.said()
    with mock.patch.object(rule_actions, "set_fields", fails):
        desk.run()
    assert [one.done for one in desk.ran(rule)] == [[("label", ""), ("giveOut", "team_not_found")]]
    assert shop.label in _labels(desk)
    assert desk.talk().team_id is desk.talk().assignee_id is None


def _delete(desk: Ruled, model: Any, id_: int) -> None:
    db.write(lambda session: session.execute(sa.delete(model).where(model.id == id_)))


def test_what_is_gone_meanwhile_is_said(shop: Shop) -> None:
    desk = shop.desk
    rule = desk.rule(
        {"do": "webhook", "endpoint": shop.endpoint},
        {"do": "giveOut", "team": shop.team},
        {"do": "label", "label": shop.label},
        {"do": "note", "text": "Look"},
    )
    for model, id_ in ((Endpoint, shop.endpoint), (Team, shop.team), (Label, shop.label)):
        _delete(desk, model, id_)
    desk.said()
    desk.run()
    (ran,) = desk.ran(rule)
    assert ran.reason == "endpoint_gone"
    assert [bool(why) for _what, why in ran.done] == [True, True, True, False]


def test_without_webhooks_a_rule_tells_no_program_and_does_the_rest(shop: Shop) -> None:
    desk = shop.desk
    rule = desk.rule({"do": "webhook", "endpoint": shop.endpoint}, {"do": "label", "label": shop.label})
    registry.switch_off(["webhooks"])
    try:
        desk.said()
        desk.run()
    finally:
        registry.switch_off(())
    assert [one.done for one in desk.ran(rule)] == [[("webhook", "webhooks_off"), ("label", "")]]


@pytest.mark.parametrize("does", ["assign", "assignNobody", "team", "giveOut"])
def test_nobody_is_taken_a_conversation_from(shop: Shop, does: str) -> None:
    desk = shop.desk
    desk.scene.assign("ana", desk.desk.mia.id, desk.desk.mia.id, clock.now())
    desk.scene.reply("ana", "I have it.", clock.now())
    rule = desk.rule({"do": does, **DOES[does][0](shop)})
    desk.said()
    desk.run()
    assert [one.done for one in desk.ran(rule)] == [[(does, "assigned")]]
    assert (desk.talk().assignee_id, desk.talk().team_id) == (desk.desk.mia.id, None)


def test_whoever_has_it_may_start_a_rule_that_gives_it_away(shop: Shop) -> None:
    desk = shop.desk
    desk.scene.assign("ana", desk.desk.mia.id, desk.desk.mia.id, clock.now())
    desk.scene.reply("ana", "I have it.", clock.now())
    desk.rule({"do": "team", "team": shop.team}, when="conversation.labelled")
    _label(desk, add=[shop.label])
    desk.run()
    assert (desk.talk().assignee_id, desk.talk().team_id) == (None, shop.team)


# ---- in which order, and how often ---------------------------------------------------------------------


def _outcomes(desk: Ruled, *rules: int) -> list[list[str]]:
    return [[one.outcome for one in desk.ran(rule)] for rule in rules]


def test_rules_are_done_in_their_order_and_one_may_stop_the_rest(automated: Ruled) -> None:
    desk = automated
    first = desk.rule({"do": "note", "text": "1"}, name="1")
    shadow = desk.rule({"do": "note", "text": "2"}, name="2", stops=True, state=RuleState.SHADOW)
    other = desk.rule({"do": "note", "text": "3"}, name="3", stops=True, conditions=[BROKEN])
    stops = desk.rule({"do": "note", "text": "4"}, name="4", stops=True)
    last = desk.rule({"do": "note", "text": "5"}, name="5")
    desk.said()
    desk.run()
    assert _outcomes(desk, first, shadow, other, stops, last) == [["did"], ["shadow"], [], ["did"], []]
    do(rule_cases.move, desk.desk.workspace, last, -1)
    do(rule_cases.move, desk.desk.workspace, first, 1)
    desk.said()
    desk.run()
    assert _outcomes(desk, stops, last) == [["did", "did"], ["did"]]
    with db.read() as session:
        query = sa.select(Message.text).where(Message.kind == "note").order_by(Message.id)
        assert list(session.scalars(query)) == ["1", "4", "1", "5", "4"]


@pytest.mark.parametrize(("once", "wanted"), [("", 4), ("conversation", 3), ("contact", 2)])
def test_how_often_a_rule_acts(automated: Ruled, once: str, wanted: int) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"}, once=once)
    shadow = desk.rule({"do": "close"}, once=once, state=RuleState.SHADOW, name="Shadow")
    desk.said("ana")
    desk.run()
    desk.said("ana")
    desk.run()
    desk.said("bob")
    desk.run()
    # Another conversation of the same person, on another account.
    other = toys.make_account(desk.desk.workspace)
    desk.said("ana2", account=other)
    ids = {one: desk.talk(one).contact_id for one in ("ana", "ana2")}
    toys.change_row(Conversation, desk.talk("ana2").id, contact_id=ids["ana"])
    desk.run()
    for one, outcome_ in ((rule, "did"), (shadow, "shadow")):
        assert [run.outcome for run in desk.ran(one) if run.outcome] == [outcome_] * wanted
        assert {run.reason for run in desk.ran(one) if not run.outcome} == ({"once"} if once else set())


def test_shadow_does_not_use_up_the_once(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"}, once="conversation", state=RuleState.SHADOW)
    desk.said()
    desk.run()
    _put(desk, rule, RuleState.LIVE)
    desk.said()
    desk.run()
    assert _outcomes(desk, rule) == [["shadow", "did"]]


def _put(desk: Ruled, rule: int, state: RuleState) -> None:
    with db.read() as session:
        what = rule_cases.there(session, desk.desk.workspace, desk.desk.generation.directory)
    do(rule_cases.put_in_state, desk.desk.workspace, rule, state, what)


def _change(desk: Ruled, rule: int, **body: Any) -> None:
    with db.read() as session:
        what = rule_cases.there(session, desk.desk.workspace, desk.desk.generation.directory)
    body = given({"when": "message.received", **body})
    do(rule_cases.change, desk.desk.workspace, rule, name="Broken", body=body, what=what)


def test_a_run_names_the_version_it_was_decided_by(automated: Ruled) -> None:
    desk = automated
    look = {"do": "note", "text": "Look"}
    rule = desk.rule(look, conditions=[BROKEN])
    desk.said(text="broken")
    desk.read()
    _change(desk, rule, actions=[{"do": "close"}])
    desk.run()
    (ran,) = desk.ran(rule)
    assert (ran.version, ran.done) == (2, [("close", "")]), "what it says when it is done"
    assert desk.talk().status == ConversationStatus.CLOSED
    desk.said(text="whole")
    desk.read()
    _change(desk, rule, actions=[look], conditions=[BROKEN])
    desk.run()
    assert [(one.version, one.outcome) for one in desk.ran(rule)] == [(2, "did")], "not of that any more"


@pytest.mark.parametrize("how", ["off", "draft", "deleted", "shadow"])
def test_a_rule_turned_off_before_it_is_done(automated: Ruled, how: str) -> None:
    desk = automated
    rule = desk.rule(SORRY)
    desk.said()
    desk.read()
    if how == "deleted":
        do(rule_cases.delete, desk.desk.workspace, rule)
    else:
        _put(desk, rule, RuleState(how))
    desk.run()
    assert desk.automatic() == []
    assert _outcomes(desk, rule) == [["shadow"] if how == "shadow" else []]
    assert desk.runs()[0] == ("rules", "skipped", None, None)


def test_a_rule_is_asked_once_about_an_event_whatever_it_says_by_then(automated: Ruled) -> None:
    desk = automated
    near = [{"if": "by", "actor": "customer"}, BROKEN]
    rule = desk.rule(SORRY, conditions=near)
    desk.said(text="hello")
    desk.run()
    assert [(one.outcome, one.reason) for one in desk.ran(rule)] == [("", "condition")]
    _change(desk, rule, actions=[SORRY])
    desk.read(again=True)
    desk.run()
    assert desk.automatic() == []
    assert {run[1] for run in desk.runs()} <= {"skipped", "done"}, "none that fails again and again"


# ---- when it is silent ---------------------------------------------------------------------------------


def _opted_out(desk: Ruled) -> None:
    do(consent.opt_out, desk.desk.workspace, desk.talk().contact_id, "")


def _changed(model: Any, **values: Any) -> Callable[[Ruled], None]:
    def change(_desk: Ruled) -> None:
        now = {
            name: clock.now() - value if isinstance(value, timedelta) else value
            for name, value in values.items()
        }
        db.write(lambda session: session.execute(sa.update(model).values(**now)))

    return change


NOTHING, HOUR, DAY = timedelta(), timedelta(hours=1), timedelta(days=1)
AGAINST: Mapping[str, tuple[Callable[[Ruled], object], str]] = {
    "spam": (_spam, "spam"),
    "closed": (lambda desk: _set(desk, {"status": ConversationStatus.CLOSED}), "closed_by_team"),
    "opted out": (_opted_out, "opted_out"),
    "blocked": (_changed(Contact, blocked_at=NOTHING), "opted_out"),
    "archived": (_changed(Workspace, archived_at=NOTHING), "archived"),
    "disconnected": (_changed(ChannelAccount, state=AccountState.DISCONNECTED), "account_stopped"),
    "a person answered": (lambda desk: desk.scene.reply("ana", "Here.", clock.now()), "person"),
    "a person in the app": (lambda desk: desk.scene.echo("ana", "Here.", clock.now()), "person"),
    "a person has it": (_changed(Conversation, handled_by=Handler.PERSON), "person"),
    "a program answers": (_changed(Conversation, handled_by=Handler.AUTOMATION), "automation"),
    "taken back": (_changed(Message, unsent_at=NOTHING), "taken_back"),
    "window for people": (_changed(Conversation, last_inbound_at=25 * HOUR), "people_only"),
    "window closed": (_changed(Conversation, last_inbound_at=8 * DAY), "window_closed"),
}


@pytest.mark.parametrize("name", AGAINST)
def test_nothing_is_said_against_a_wish_a_person_or_the_window(shop: Shop, name: str) -> None:
    desk, (happens, reason) = shop.desk, AGAINST[name]
    _with(desk, HEART)
    rule = desk.rule(
        SORRY,
        {"do": "reply", "canned": shop.reply},
        {"do": "addon", "name": "toy.heart"},
        {"do": "label", "label": shop.label},
    )
    desk.said()
    desk.read()
    happens(desk)
    desk.run()
    (ran,) = desk.ran(rule)
    assert ran.done == [("say", reason), ("reply", reason), ("addon", reason), ("label", "")]
    assert desk.automatic() == []
    with db.read() as session:
        own = sa.select(sa.func.count()).where(
            OutboxEntry.message_id == Message.id, Message.author_id.is_(None)
        )
        assert session.scalar(own) == 0


@pytest.mark.parametrize("name", ["window for people", "window closed"])
def test_about_closing_the_window_counts_as_well(automated: Ruled, name: str) -> None:
    """A rule may speak into what somebody just closed, and no longer than anybody automatic may."""
    desk = automated
    rule = desk.rule(SORRY, when="conversation.closed")
    desk.said()
    _set(desk, {"status": ConversationStatus.CLOSED})
    desk.read()
    AGAINST[name][0](desk)
    desk.run()
    assert desk.automatic() == []
    assert [one.outcome for one in desk.ran(rule)] == ["refused"]
    desk.said("bob")
    desk.scene.close("bob", desk.desk.mia.id, clock.now())
    desk.run()
    assert desk.automatic("bob") == ["Sorry, Bob!"]


def test_what_a_rule_says_goes_out_as_nobody(automated: Ruled) -> None:
    """Under no tag of a person: the provider is told that no person is behind it."""
    desk = automated
    asked: list[bool] = []

    class Asked(toys.Windowed):
        def reply_policy(self, context: Any) -> Any:
            asked.append(context.by_person)
            return super().reply_policy(context)

    desk.desk.generation.directory = Directory([Asked()])
    desk.rule(SORRY)
    desk.said()
    desk.run()
    drain(desk.desk.generation, direction="out")
    assert set(asked) == {False}
    with db.read() as session:
        (said,) = session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND))
    assert (said.origin, said.author_id, said.state) == (Origin.SYSTEM, None, "sent")


def test_no_more_than_the_budget_is_said(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule(*[{"do": "say", "text": f"{number}"} for number in range(4)], when="note.added")
    desk.said()
    for number in range(3):
        desk.scene.note("ana", f"Note {number}", clock.now(), desk.desk.mia.id)
        desk.run()
    assert len(desk.automatic()) == BUDGET
    assert [why for one in desk.ran(rule) for _what, why in one.done] == [""] * 5 + ["budget"] * 7
    desk.said(text="Thanks")
    desk.scene.note("ana", "Once more", clock.now(), desk.desk.mia.id)
    desk.run()
    assert len(desk.automatic()) == BUDGET + 4, "they wrote"


def test_a_program_that_answers_rules_comes_to_an_end(data: Path, database: db.Database) -> None:
    """It notes what it is told of, and the rule labels at each note: what it does starts the rule again."""
    api = open_api_desk(data)
    desk = Ruled(api.inbox)
    one, other = desk.label("One"), desk.label("Other")
    noted, labelled, unlabelled = "note.added", "conversation.labelled", "conversation.unlabelled"
    rule = desk.rule({"do": "label", "label": one}, {"do": "unlabel", "label": other}, when=noted)
    back = desk.rule(
        {"do": "label", "label": other}, {"do": "unlabel", "label": one}, name="B", when=labelled
    )
    desk.rule({"do": "say", "text": "Done"}, name="C", when=unlabelled)
    desk.said()
    path = f"/conversations/{desk.scene.conversation('ana')}"
    for number in range(30):
        api.program.send("POST", f"{path}/notes", {"text": f"Seen {number}"}, 201)
        desk.run()
    assert len([one for one in desk.ran(rule) if one.outcome]) == evaluation.MOST_PER_HOUR
    assert desk.ran(back) == [], "what a rule did starts none"
    assert desk.runs()[-1] == ("rules", "skipped", None, "too_often")
    with clock.travel(timedelta(hours=1, minutes=1)):
        api.program.send("POST", f"{path}/notes", {"text": "Later"}, 201)
        desk.run()
    assert len([one for one in desk.ran(rule) if one.outcome]) == evaluation.MOST_PER_HOUR + 1


def test_what_the_desk_said_itself_starts_nothing(automated: Ruled) -> None:
    desk = automated
    desk.rule(SORRY)
    told = [
        desk.rule({"do": "note", "text": "Look"}, when=when, name=when)
        for when in ("message.sent", "message.read", "message.failed", "message.unsent", "message.reacted")
    ]
    desk.said()
    desk.run()
    drain(desk.desk.generation, direction="out")
    (said,) = [one for one in toys.everything(Message) if one.direction == Direction.OUTBOUND]
    desk.scene.seen("ana", said.external_id)
    _said_of(MessageReacted, external_id=said.external_id, emoji="❤️")(desk)
    desk.run()
    with db.read() as session:
        kinds = set(session.scalars(sa.select(DomainEvent.kind)))
    assert {"message.sent", "message.read", "message.reacted"} <= kinds
    assert _outcomes(desk, *told) == [[]] * 5


# ---- what it does not hear -----------------------------------------------------------------------------


def _any_rules(desk: Ruled) -> list[int]:
    whens = ["message.received", "conversation.created", "conversation.reopened", "conversation.unanswered"]
    return [desk.rule(SORRY, when=when, name=when, hours=1) for when in whens]


def test_history_of_the_provider_starts_none(automated: Ruled) -> None:
    desk = automated
    rules = _any_rules(desk)
    change = toys.received("Do you have blue ones?", contact="old")
    change = replace(change, sent_at=clock.now() - timedelta(minutes=5))
    item = toys.incoming(
        desk.desk.account, change, adapter=toys.WINDOWED, received_at=clock.now(), imported=True
    )
    db.write(apply_changes, [item])
    desk.run()
    with clock.travel(timedelta(hours=2)):
        desk.run()
    assert _outcomes(desk, *rules) == [[]] * 4
    assert desk.automatic("old") == []


def test_a_message_that_comes_behind_later_ones_starts_none(automated: Ruled) -> None:
    desk = automated
    desk.said(at=clock.now() - timedelta(minutes=1))
    desk.read()
    rule = desk.rule({"do": "note", "text": "Look"})
    desk.said(at=clock.now() - timedelta(minutes=5))
    desk.run()
    assert [data for _, data, _kind in _facts("message.received")] == ["", '{"late":true}']
    assert desk.runs() == desk.ran(rule) == []


def test_nothing_is_said_to_what_came_hours_later(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"}, SORRY)
    change = replace(toys.received("Hello", contact="ana"), sent_at=clock.now() - timedelta(hours=2))
    item = toys.incoming(desk.desk.account, change, adapter=toys.WINDOWED, received_at=clock.now())
    db.write(apply_changes, [item])
    desk.run()
    assert [one.done for one in desk.ran(rule)] == [[("note", ""), ("say", "late")]]
    assert desk.automatic() == []


def test_what_happened_before_yesterday_starts_none(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"})
    desk.said()
    with clock.travel(timedelta(hours=25)):
        desk.run()
    assert desk.runs() == []
    desk.said()
    desk.read()
    with clock.travel(timedelta(hours=25)):
        desk.run()
    assert desk.runs() == [("rules", "skipped", None, "late")], "the workers stood still"
    assert desk.ran(rule) == []


def test_a_rule_of_another_workspace_hears_nothing(automated: Ruled) -> None:
    desk = automated
    there = toys.make_workspace("Other")
    mine, desk.desk.workspace = desk.desk.workspace, there
    rule = desk.rule({"do": "close"})
    desk.desk.workspace = mine
    desk.said()
    desk.run()
    assert desk.ran(rule) == []
    assert desk.runs() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_event_of_a_conversation_that_is_gone(automated: Ruled, when: str) -> None:
    desk = automated
    rule = desk.rule({"do": "close"})
    desk.said()
    reading.number_all()
    if when == "after":
        desk.read()
    with db.read() as session:
        batch = reading.after(session, reading.BEGINNING, 200)
        due = [run for run, _since in running.due(session, clock.now())]
    _delete(desk, Conversation, desk.talk().id)
    db.write(desk.consumer.consume, batch.events)
    for run in due:
        db.write(running.do, run, desk.desk.generation.directory, clock.now())
    desk.run()
    assert desk.runs() == desk.ran(rule) == []


def test_a_condition_of_an_addon_that_raises_holds_not(automated: Ruled) -> None:
    desk = automated
    seen: list[tuple[str, str]] = []

    def holds(about: AskedAbout, value: str) -> bool:
        seen.append((about.text, value))
        return value == "yes"

    found = [
        RuleCondition("toy.buys", "email", "they buy", holds, [("yes", "Yes"), ("no", "No")]),
        RuleCondition("toy.broken", "email", "it is broken", _broken),
        RuleCondition("toy.other", "other", "it is another", holds),
    ]
    _with(desk, conditions=found)
    look = {"do": "note", "text": "Look"}

    def asks(name: str, value: str = "") -> int:
        asked = {"if": "addon", "name": name, **({"value": value} if value else {})}
        return desk.rule(look, conditions=[{"if": "by", "actor": "customer"}, asked], name=f"{name} {value}")

    rules = [asks("toy.buys", "yes"), asks("toy.buys", "no"), asks("toy.broken"), asks("toy.other")]
    desk.said(text="Hello")
    desk.run()
    assert _outcomes(desk, *rules) == [["did"], [""], [""], [""]]
    traces = [desk.ran(rule)[0].trace[1][:2] for rule in rules]
    assert traces == [(True, ""), (False, ""), (False, "missing"), (False, "missing")]
    assert ("Hello", "yes") in seen
    _with(desk)
    desk.said(text="Once more")
    desk.run()
    assert _outcomes(desk, *rules) == [["did", ""], ["", ""], ["", ""], ["", ""]], "the addon is off"


@pytest.mark.parametrize(
    "body",
    [
        {"when": "message.received", "actions": [{"do": "dance"}]},
        {"when": "message.received", "actions": [{"do": "close"}], "mood": "bad"},
        {"when": "message.received", "actions": [{"do": "close"}], "conditions": [{"if": "mood"}]},
        {
            "when": "message.received",
            "actions": [{"do": "close"}],
            "conditions": [{"if": "conversation", "filter": {"mood": "bad"}}],
        },
        {"when": "contact.sneezed", "actions": [{"do": "close"}]},
        {},
    ],
)
def test_a_rule_of_a_later_lobby_does_nothing(automated: Ruled, body: dict[str, Any]) -> None:
    desk = automated
    rule = desk.rule({"do": "close"})
    after = desk.rule({"do": "note", "text": "Look"}, name="After")
    db.write(
        lambda session: session.execute(
            sa.update(RuleVersion).where(RuleVersion.rule_id == rule).values(body=body)
        )
    )
    desk.said()
    desk.run()
    assert _outcomes(desk, rule, after) == [[], ["did"]]
    assert desk.talk().status == ConversationStatus.OPEN


# ---- out of turn ---------------------------------------------------------------------------------------


def test_it_is_given_out_in_turn_and_waits_until_somebody_is_on_duty(any_desk: Ruled) -> None:
    desk = any_desk
    ana, bo = desk.person("Ana"), desk.person("Bo")
    team = desk.team(ana, bo)
    desk.rule({"do": "giveOut", "team": team}, when="conversation.created")
    for contact in "abcd":
        desk.said(contact)
        desk.run()
    assert [desk.talk(one).assignee_id for one in "abcd"] == [ana, bo] * 2
    desk.duty(ana, False)
    desk.duty(bo, False)
    desk.said("e")
    desk.run()
    assert (desk.talk("e").team_id, desk.talk("e").assignee_id) == (team, None)
    assert ("give_out", "waiting", "team", "nobody_on_duty") in desk.runs()
    desk.duty(bo, True)
    desk.run()
    assert desk.talk("e").assignee_id == bo


# ---- nobody answered -----------------------------------------------------------------------------------


def _after(desk: Ruled, **later: float) -> None:
    with clock.travel(timedelta(**later)):
        desk.run()


def _waits(desk: Ruled, **more: Any) -> int:
    return desk.rule({"do": "note", "text": "Still"}, when="conversation.unanswered", **more)


def test_after_hours_without_an_answer(any_desk: Ruled) -> None:
    desk = any_desk
    rule = _waits(desk, hours=2)
    desk.said()
    desk.said(text="Anybody?")
    desk.run()
    _after(desk, hours=1, minutes=59)
    assert desk.ran(rule) == []
    _after(desk, hours=2, minutes=1)
    _after(desk, hours=9)
    assert _outcomes(desk, rule) == [["did"]], "once for the first that waits"


def test_after_minutes_without_an_answer(any_desk: Ruled) -> None:
    desk = any_desk
    rule = _waits(desk, minutes=30)
    desk.said()
    desk.run()
    _after(desk, minutes=29)
    assert desk.ran(rule) == []
    _after(desk, minutes=31)
    assert _outcomes(desk, rule) == [["did"]]


@pytest.mark.parametrize(
    ("wait", "kept"),
    [
        ({"minutes": 90}, {"hours": 1, "minutes": 30}),
        ({"hours": 1, "minutes": 60}, {"hours": 2}),
        ({"hours": 4}, {"hours": 4}),
        ({"minutes": 1}, {"minutes": 1}),
        ({"hours": 336}, {"hours": 336}),
        ({"hours": 336, "minutes": 1}, None),
        ({"hours": 2, "minutes": -60}, None),
        ({"hours": 2**62}, None),
        ({}, None),
    ],
)
def test_equal_waits_are_stored_alike(wait: dict[str, int], kept: dict[str, int] | None) -> None:
    body = given({"when": "conversation.unanswered", "actions": [{"do": "close"}], **wait})
    there = RuleTargets(ActionTargets({}, {}, {}, {}))
    if kept is None:
        with pytest.raises(RuleError) as refused:
            checked(body, there)
        assert refused.value.field == "hours"
    else:
        stored = plain(checked(body, there))
        assert {name: stored[name] for name in ("hours", "minutes") if name in stored} == kept


ANSWERED: Mapping[str, Callable[[Ruled], object]] = {
    "answered": lambda desk: desk.scene.reply("ana", "Here.", clock.now()),
    "in the app": lambda desk: desk.scene.echo("ana", "Here.", clock.now()),
    "closed": lambda desk: _set(desk, {"status": ConversationStatus.CLOSED}),
    "snoozed": _snoozed,
    "spam": _spam,
}


@pytest.mark.parametrize("how", ANSWERED)
def test_nothing_once_it_is_answered_or_put_away(automated: Ruled, how: str) -> None:
    desk = automated
    rule = _waits(desk, hours=2)
    desk.said()
    desk.run()
    ANSWERED[how](desk)
    _after(desk, hours=3)
    assert desk.ran(rule) == []
    assert desk.runs() == [("wait", "skipped", None, "answered")]


def test_they_wait_anew_once_they_write_again(automated: Ruled) -> None:
    desk = automated
    rule = _waits(desk, hours=2)
    desk.said()
    desk.run()
    desk.scene.reply("ana", "Here.", clock.now())
    desk.said(text="And the lid?", at=clock.now() + timedelta(minutes=30))
    _after(desk, hours=2, minutes=1)
    assert desk.ran(rule) == []
    _after(desk, hours=2, minutes=31)
    assert _outcomes(desk, rule) == [["did"]]


def test_what_they_waited_for_while_the_workers_stood_still(automated: Ruled) -> None:
    desk = automated
    rule = _waits(desk, hours=2)
    desk.said()
    desk.run()
    _after(desk, hours=27)
    assert desk.ran(rule) == []
    assert desk.runs() == [("wait", "skipped", None, "late")]


def test_only_the_hours_count_in_which_the_team_works(automated: Ruled) -> None:
    desk = automated
    now = clock.now()
    # Nobody works in the next 24 hours, and then all day.
    closed = {(now + timedelta(days=step)).date(): hours.CLOSED for step in (0, 1)}
    work = hours.Hours(hours.ALWAYS.week, closed, "UTC")
    rule = _waits(desk, hours=2, working=True)
    with mock.patch.object(hours.LoadedHours, "of", return_value=work):
        desk.said()
        desk.run()
    with db.read() as session:
        due = session.scalar(sa.select(AutomationRun.due_at))
    midnight = datetime.combine((now + timedelta(days=2)).date(), datetime.min.time(), UTC)
    assert due == midnight + timedelta(hours=2)
    _after(desk, hours=20)
    assert desk.ran(rule) == []


# ---- workers -------------------------------------------------------------------------------------------


def test_two_workers_do_a_pass_once(any_desk: Ruled) -> None:
    desk = any_desk
    label = desk.label("Complaint")
    desk.rule({"do": "label", "label": label}, SORRY, {"do": "note", "text": "Look"})
    contacts = [f"c{number}" for number in range(6)]
    for contact in contacts:
        desk.said(contact)
    desk.read()
    with db.read() as session:
        ids = [run for run, _since in running.due(session, clock.now())]
    assert len(ids) == len(contacts)
    errors: list[BaseException] = []

    def work(turn: int) -> None:
        try:
            for id_ in ids if turn % 2 else reversed(ids):
                db.write(running.do, id_, desk.desk.generation.directory, clock.now())
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            errors.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for contact in contacts:
        assert len(desk.automatic(contact)) == 1
        assert [what for what, *_rest in desk.lines(contact)].count("note") == 1


def test_two_workers_act_once_for_a_contact(any_desk: Ruled) -> None:
    desk = any_desk
    rule = desk.rule({"do": "note", "text": "Look"}, once="contact")
    for contact in ("ana", "ana2"):
        desk.said(contact)
    toys.change_row(Conversation, desk.talk("ana2").id, contact_id=desk.talk("ana").contact_id)
    desk.read()
    directory = desk.desk.generation.directory
    with db.read() as session:
        (one, _), (other, _) = running.due(session, clock.now())
    finished, errors = threading.Event(), []

    def work() -> None:
        try:
            db.write(running.do, other, directory, clock.now())
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            errors.append(error)
        finished.set()

    thread = threading.Thread(target=work)

    def first(session: Session) -> None:
        running.do(session, one, directory, clock.now())
        thread.start()
        finished.wait(1)  # in vain: it waits for the end of this

    db.write(first)
    thread.join()
    assert errors == []
    assert sorted((run.outcome, run.reason) for run in desk.ran(rule)) == [("", "once"), ("did", "")]


@pytest.mark.parametrize("dies", ["in the consumer", "before the pass", "in the pass"])
def test_a_worker_that_dies(any_desk: Ruled, dies: str) -> None:
    desk = any_desk
    rule = desk.rule(SORRY, {"do": "note", "text": "Look"})
    desk.said()

    def killed(session: Session) -> None:
        if dies == "in the consumer":
            reading.number_all()
            desk.consumer.consume(session, reading.after(session, reading.BEGINNING, 200).events)
        else:
            ((run, _since),) = running.due(session, clock.now())
            if dies == "in the pass":
                running.do(session, run, desk.desk.generation.directory, clock.now())
        raise KeyboardInterrupt

    if dies != "in the consumer":
        desk.read()
    else:
        reading.number_all()
    with pytest.raises(KeyboardInterrupt):
        db.write(killed)
    assert desk.automatic() == []
    for _again in range(2):
        desk.read(again=True)
        desk.run()
    assert desk.automatic() == ["Sorry, Ana!"]
    assert _outcomes(desk, rule) == [["did"]]


@pytest.mark.parametrize("wanted", [True, False])
def test_what_customers_write_goes_before_what_rules_do(automated: Ruled, wanted: bool) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"})
    for number in range(running.TOGETHER + 1):
        desk.said(f"ana-{number}")
    desk.read()
    waits = mock.patch.object(db.Database, "is_wanted", mock.PropertyMock(return_value=wanted))
    with waits, mock.patch.object(running.time, "sleep") as slept:
        running.run_due(desk.desk.generation.directory)
    assert slept.call_count == (running.TOGETHER + 1 if wanted else 0), "it makes way after each of them"
    assert _outcomes(desk, rule) == [["did"] * (running.TOGETHER + 1)]


def test_of_runs_that_are_done_together_one_that_fails_costs_no_other(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule({"do": "note", "text": "Look"})
    for contact in ("ana", "bob", "cem"):
        desk.said(contact)
    desk.read()
    do, tried = running.do, []

    def failing(session: Session, run_id: int, *rest: Any) -> None:
        tried.append(run_id)
        if run_id == sorted(set(tried))[0] + 1:
            raise RuntimeError("broken")
        do(session, run_id, *rest)

    with mock.patch.object(running, "do", failing):
        running.run_due(desk.desk.generation.directory)
    assert _outcomes(desk, rule) == [["did", "did"]]
    running.run_due(desk.desk.generation.directory)
    with clock.travel(running.PAUSES[0]):
        running.run_due(desk.desk.generation.directory)
    assert _outcomes(desk, rule) == [["did"] * 3]


# ---- what it costs -------------------------------------------------------------------------------------


def test_a_batch_costs_a_fixed_number_of_statements_along_indexes(automated: Ruled) -> None:
    desk = automated
    label, mia = desk.label("Complaint"), desk.desk.mia.id
    asked: list[dict[str, Any]] = [
        {"if": "by", "actor": "customer"},
        {"if": "conversation", "filter": {"no_labels": [label]}},
        {"if": "conversation", "filter": {"mentioned": mia, "late": True}},
        {"if": "hours"},
        {"if": "window", "to": "programs"},
        {"if": "before"},
        {"if": "words", "words": ["hello"]},
    ]
    for number, one in enumerate(asked):
        desk.rule({"do": "note", "text": "Look"}, conditions=[one, BROKEN], name=f"{number}")
    desk.rule({"do": "close"}, when="conversation.unanswered", hours=1, working=True, name="Waits")
    counts: list[list[str]] = []
    db.write(desk.consumer.consume, [])
    for more in (3, 60):
        for number in range(more):
            desk.said(f"{more}-{number}")
        with db.read() as session:
            batch = reading.after(session, desk.position, 200)
        assert len(batch.events) >= more
        with toys.Statements(db.current()) as statements:
            db.write(desk.consumer.consume, batch.events)
        seen = [one for one in statements.seen if "FROM counters" not in one]  # looked at by the clock
        counts.append([one for one in seen if one.startswith(("SELECT", "INSERT"))])
        desk.position = batch.end
    assert len(counts[0]) == len(counts[1]) <= 12, counts[1]
    with db.read() as session:
        plans = [
            str(
                session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", (1,) * one.count("?")).all()
            )
            for one in counts[0]
            if one.startswith("SELECT")
        ]
    assert not [plan for plan in plans if "SCAN" in plan.replace("SCAN CONSTANT ROW", "")], plans
