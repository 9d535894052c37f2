"""Rules: what they are asked, what they do, and what they never do."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.automation.rules import keeping
from host.core import clock, db
from host.models.automation import RuleState, RuleVersion
from host.models.inbox import ConversationStatus, Handler
from tests.automation.automated import Automated

BROKEN = {"if": "words", "words": ["broken", "in pieces"]}
LATER = {"if": "conversation", "filter": {"mood": "angry"}}
SORRY = {"do": "say", "text": 'Sorry, {{contact.first_name || "there"}}!'}


def test_a_rule_acts_once_for_a_message(any_desk: Automated) -> None:
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
    assert desk.automatic("ana") == ["Sorry, Ana!"] and desk.automatic("bob") == []
    ran = desk.ran(rule)
    assert [(one.outcome, one.trace, one.done) for one in ran] == [
        ("did", [(True, "broken")], [("label", ""), ("say", ""), ("note", "")])
    ]
    assert ("labelled", "Complaint", None) in desk.lines("ana")
    assert desk.talk("ana").handled_by == Handler.NOBODY
    assert desk.talk("ana").waiting_since is not None


def test_in_shadow_it_says_what_it_would_have_done(automated: Automated) -> None:
    desk = automated
    rule = desk.rule(SORRY, {"do": "close"}, conditions=[BROKEN], state=RuleState.SHADOW)
    desk.said("ana", "broken")
    desk.run()
    assert desk.automatic("ana") == [] and desk.talk("ana").status == ConversationStatus.OPEN
    assert [(one.outcome, one.done) for one in desk.ran(rule)] == [("shadow", [("say", ""), ("close", "")])]


def test_what_rules_do_starts_none(automated: Automated) -> None:
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


def test_a_rule_does_not_see_what_the_one_before_it_did(automated: Automated) -> None:
    desk = automated
    label = desk.label("Complaint")
    has = {"if": "conversation", "filter": {"labels": [label]}}
    desk.rule({"do": "label", "label": label}, name="First")
    second = desk.rule({"do": "close"}, conditions=[has], name="Second")
    desk.said("ana", "hello")
    desk.run()
    assert desk.ran(second) == [] and desk.talk("ana").status == ConversationStatus.OPEN


def test_a_filter_that_cannot_be_read_lets_nothing_through(automated: Automated) -> None:
    desk = automated
    rule = desk.rule(
        {"do": "close"}, conditions=[BROKEN, {"if": "conversation", "filter": {"status": "open"}}]
    )

    def as_of_a_later_lobby(session: Session) -> None:
        version = session.get_one(RuleVersion, (rule, 1))
        kept = {**version.body, "conditions": [version.body["conditions"][0], LATER]}
        version.body = kept

    db.write(as_of_a_later_lobby)
    desk.said("ana", "broken")
    desk.run()
    assert [(one.outcome, one.trace) for one in desk.ran(rule)] == [
        ("", [(True, "broken"), (False, "unreadable")])
    ]


def test_what_is_saved_as_it_was_is_no_new_version(automated: Automated) -> None:
    desk = automated
    rule = desk.rule(
        SORRY, {"do": "close"}, conditions=[BROKEN, {"if": "any", "of": [BROKEN, {"if": "hours"}]}]
    )

    def save_again(session: Session) -> int:
        directory, workspace = desk.desk.generation.directory, desk.desk.workspace
        what = keeping.there(session, workspace, directory)
        body = keeping.shown(session, workspace, rule, what).body
        assert body is not None
        named = {"workspace_id": workspace, "rule_id": rule, "name": "Broken", "author": "Ann"}
        return keeping.change(session, body=body, what=what, now=clock.now(), **named).version

    assert db.write(save_again) == 1
