"""Rules: what they are asked, what they do, and what they never do."""

from __future__ import annotations

from host.models.automation import RuleState
from host.models.inbox import ConversationStatus, Handler
from tests.automation.automated import Automated

BROKEN = {"if": "words", "words": ["broken", "in pieces"]}
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
    assert desk.automatic("ana") == ["Sorry, Ana!"]
    assert desk.automatic("bob") == []
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
    assert desk.automatic("ana") == []
    assert desk.talk("ana").status == ConversationStatus.OPEN
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
    assert desk.ran(second) == []
    assert desk.talk("ana").status == ConversationStatus.OPEN
