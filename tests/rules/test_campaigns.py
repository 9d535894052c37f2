"""Campaigns: a word below a post is answered publicly in turn, and once privately."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import running
from host.core import clock, db
from host.core.errors import InvalidError
from host.features import registry
from host.inbox import outcome
from host.inbox.comments.private import queue_private
from host.models.inbox import Contact, Conversation, Message
from host.models.queue import OutboxEntry
from host.rules import campaigns, people, rules
from host.rules.body import checked, given
from host.rules.models import RuleState
from host.rules.pages import campaign_words
from host.rules.people import Counts
from host.rules.posts import is_near
from host.sdk.channel import ProviderProblem, ReplyPolicy, ReplyState
from tests.helpers import do
from tests.inbox import toys
from tests.rules import running_twice
from tests.rules.below import LINK, WALL, Below, Wall, open_below

REFUSES = ProviderProblem("10", "They take no messages from people they do not follow.")


@pytest.fixture
def below(database: db.Database, data: Path) -> Below:
    return open_below(data)


@pytest.fixture
def any_below(any_database: db.Database, tmp_path: Path) -> Below:
    (tmp_path / "data").mkdir()
    return open_below(tmp_path / "data")


def test_each_gets_one_of_the_public_answers_in_turn_and_the_private_reply(any_below: Below) -> None:
    desk = any_below
    id_ = desk.campaign(texts=["One", "Two", 'Look, {{contact.first_name || "you"}}'], quick_replies=["Yes"])
    for contact in ("ana", "bob", "cleo", "dan"):
        desk.comments(contact, "TIDE please")
    desk.comments("eve", "tides")
    desk.run()
    assert desk.ours() == [(LINK, True)] * 4
    assert desk.got(id_) == dict.fromkeys(("ana", "bob", "cleo", "dan"), ("waits", "", 1))
    desk.sends()
    desk.run()
    public = [("One", False), ("Two", False), ("Look, Cleo", False), ("One", False)]
    assert desk.ours() == [*[(LINK, True)] * 4, *public]
    desk.sends()
    assert [one.number for one in desk.people(id_)] == [1, 3, 2, 1]
    done = [one.done for one in desk.ran(id_) if one.outcome == "did"]
    assert done == [[("privately", ""), ("publicly", "")]] * 4
    with db.read() as session:
        assert people.counted(session, [id_]) == {id_: Counts(got=4)}
        offered = session.scalars(sa.select(Message.content).where(Message.text == LINK)).first()
    assert offered == {"private": True, "quick_replies": [{"title": "Yes", "payload": "Yes"}]}
    desk.read(again=True)
    desk.run()
    assert len(desk.ours()) == 8


def test_lines_of_a_campaign_say_which(below: Below) -> None:
    desk = below
    desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    lines = [one.content for one in toys.everything(Message) if one.content.get("what") == "closed"]
    assert [(one["by"], one.get("campaign")) for one in lines] == [("Tide", True)]
    thread = desk.desk.browser.get(desk.desk.path(f"/{desk.scene.conversation('ana')}")).text
    assert "The campaign Tide closed this" in thread


def test_somebody_gets_it_once_however_often_they_write(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.comments("ana", "Tide!!")
    desk.run()
    desk.comments("ana", "tide", post="plates")
    desk.run()
    assert [private for _text, private in desk.ours()] == [True]
    assert desk.got(id_) == {"ana": ("waits", "", 3)}
    desk.sends()
    desk.run()
    assert [private for _text, private in desk.ours()] == [True, False]
    assert desk.got(id_) == {"ana": ("got", "", 3)}
    desk.comments("ana", "tide", post="bowls")
    desk.run()
    assert desk.got(id_) == {"ana": ("had", "", 4)}
    assert len(desk.ours()) == 2


def test_two_comments_of_one_person_at_one_moment_are_answered_once(any_below: Below) -> None:
    desk = any_below
    id_ = desk.campaign()
    for number in range(4):
        for contact in ("ana", "bob", "cleo"):
            desk.comments(contact, "tide", post=f"post-{number}")
    desk.read()
    running_twice.run_side_by_side(desk.desk.generation.directory, 2)
    assert [private for _text, private in desk.ours()].count(True) == 3
    assert desk.got(id_) == dict.fromkeys(("ana", "bob", "cleo"), ("waits", "", 4))


def test_nothing_goes_to_who_opted_out_and_a_further_comment_is_a_further_try(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "hello")
    with db.read() as session:
        contact = session.scalars(sa.select(Contact.id)).one()
    db.write(lambda session: _opt_out(session, contact, True))
    desk.comments("ana", "tide")
    desk.run()
    assert desk.ours() == []
    assert desk.got(id_) == {"ana": ("refused", "opted_out", 1)}
    db.write(lambda session: _opt_out(session, contact, False))
    desk.comments("ana", "tide")
    desk.run()
    assert desk.got(id_) == {"ana": ("waits", "", 2)}


def _opt_out(session: object, contact: int, out: bool) -> None:
    row = session.get(Contact, contact)  # type: ignore[attr-defined]
    row.opted_out_at = clock.now() if out else None


def test_what_is_deleted_or_changed_before_it_is_answered_is_said(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    first = desk.comments("ana", "tide")
    desk.read()
    desk.deletes("ana", first)
    desk.run()
    assert desk.ours() == []
    assert desk.got(id_) == {"ana": ("refused", "taken_back", 1)}


def test_a_private_reply_by_hand_counts(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.read()
    with db.read() as session:
        message = session.scalars(sa.select(Message).order_by(Message.id)).first()
    assert message is not None
    do(
        queue_private,
        desk.desk.workspace,
        message.conversation_id,
        message.id,
        "By hand",
        reply_key="by-hand-1",
        adapter=WALL,
    )
    desk.run()
    assert desk.ours() == [("By hand", True)]
    assert desk.got(id_) == {"ana": ("had", "private_reply_used", 1)}


def test_what_fails_is_refused_with_its_reason_and_may_be_tried_again(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    (one,) = desk.people(id_)
    assert one.private_id is not None
    db.write(outcome.record_failed, one.private_id, REFUSES)
    (one,) = desk.people(id_)
    assert (one.got, one.error["sentence"]) == ("refused", REFUSES.sentence)
    desk.comments("ana", "tide")
    desk.run()
    assert desk.got(id_) == {"ana": ("waits", "", 2)}


def test_a_campaign_ends_after_so_many_people_and_at_a_time(any_below: Below) -> None:
    desk = any_below
    few = desk.campaign(people=2)
    over = desk.campaign(words=["plate"], until=(clock.now() - timedelta(minutes=1)).isoformat())
    for contact in ("ana", "bob", "cleo", "dan", "eve", "fay"):
        desk.comments(contact, "tide")
    desk.comments("gil", "plate")
    desk.read()
    running_twice.run_side_by_side(desk.desk.generation.directory, 2)
    got = desk.got(few)
    assert sorted(one[0] for one in got.values()) == ["refused"] * 4 + ["waits"] * 2
    assert {one[1] for one in got.values() if one[0] == "refused"} == {"ended"}
    assert desk.got(over) == {"gil": ("refused", "ended", 1)}


def test_who_answers_goes_to_the_team_and_gets_the_label(any_below: Below) -> None:
    desk = any_below
    team, label = desk.team(desk.person("Lea K.")), desk.label("Tide")
    id_ = desk.campaign(team=team, label=label)
    desk.comments("ana", "tide")
    desk.run()
    desk.writes("ana", "Before it came")
    desk.run()
    assert desk.people(id_)[0].answered_at is None
    desk.sends()
    desk.writes("ana", "Yes, one", clock.now() + timedelta(seconds=2))
    desk.writes("ana", "In blue", clock.now() + timedelta(seconds=3))
    desk.run()
    assert desk.people(id_)[0].answered_at is not None
    with db.read() as session:
        talk = session.scalars(
            sa.select(Conversation).where(Conversation.account_id == desk.desk.account.id)
        ).one()
        assert talk.team_id == team
        assert talk.assignee_id is not None
        assert people.counted(session, [id_]) == {id_: Counts(got=1, answered=1)}
    kinds = [(kind, state) for kind, state, _outcome, _reason in desk.runs() if kind == "answer"]
    assert kinds.count(("answer", "done")) == 1


def test_posts_are_chosen_by_id_by_their_caption_or_any(below: Below) -> None:
    desk = below
    desk.comments("zoe", "hello", post="mugs")
    desk.comments("zoe", "hello", post="plates", caption="Plates of clay")
    one = desk.campaign(post={"if": "conversation", "filter": {"post": desk.post("mugs")}})
    clay = desk.campaign(post={"if": "post", "words": ["clay"]}, name="Clay")
    desk.comments("ana", "tide", post="mugs")
    desk.comments("bob", "tide", post="plates", caption="Plates of clay")
    desk.said("cleo", "tide")
    desk.run()
    assert set(desk.got(one)) == {"ana"}
    assert set(desk.got(clay)) == {"bob"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"once": ""}, "campaign"),
    ({"when": "conversation.closed"}, "campaign"),
    ({"campaign": {"people": -1}}, "campaign.people"),
    ({"campaign": {"team": 99}}, "campaign.team"),
    ({"campaign": {"until": "2026-11-30T12:00:00"}}, "campaign.until"),
    ({"actions": [{"do": "close"}]}, "campaign"),
    ({"actions": [{"do": "publicly", "texts": [" "]}]}, "actions.0"),
    ({"actions": [{"do": "privately", "text": "x", "quick_replies": ["y" * 21]}]}, "actions.0"),
    ({"actions": [{"do": "privately", "text": "x" * 1001}]}, "actions.0"),
    ({"conditions": [{"if": "conversation", "filter": {"post": 99}}]}, "conditions.0"),
]


def test_a_campaign_that_cannot_be_is_refused(below: Below) -> None:
    body = {
        "when": "message.received",
        "actions": [{"do": "privately", "text": LINK}],
        "once": "contact",
        "campaign": {},
    }
    with db.read() as session:
        what = rules.there(session, below.desk.workspace, below.desk.generation.directory)
    for change, field in REFUSED:
        with pytest.raises(InvalidError) as refused:
            checked(given({**body, **change}), what)
        assert refused.value.field == field, change


def test_in_shadow_nobody_is_answered(below: Below) -> None:
    id_ = below.campaign(state=RuleState.SHADOW)
    below.comments("ana", "tide")
    below.run()
    assert (below.ours(), below.got(id_)) == ([], {})
    assert [one.outcome for one in below.ran(id_)] == ["shadow"]


def test_without_the_private_reply_nothing_announces_it(below: Below) -> None:
    id_ = below.campaign()
    below.comments("ana", "tide")
    closed = ReplyPolicy(ReplyState.CLOSED)
    with mock.patch.object(Wall, "private_policy", return_value=closed):
        below.run()
    assert below.ours() == []
    assert below.got(id_) == {"ana": ("refused", "private_reply_ended", 1)}


def test_nothing_is_announced_that_was_refused(any_below: Below) -> None:
    desk = any_below
    id_ = desk.campaign()
    for contact in ("ana", "bob", "cleo"):
        desk.comments(contact, "tide")
    desk.run()
    assert {one.done[1] for one in desk.ran(id_)} == {("publicly", "private_awaited")}
    for one in desk.people(id_):
        assert one.private_id is not None
        db.write(outcome.record_failed, one.private_id, REFUSES)
    desk.run()
    assert desk.ours() == [(LINK, True)] * 3
    assert desk.got(id_) == dict.fromkeys(("ana", "bob", "cleo"), ("refused", "no_private", 1))
    assert [(one.outcome, one.reason, one.done[1]) for one in desk.ran(id_)] == [
        ("refused", "no_private", ("publicly", "no_private"))
    ] * 3
    assert _why(desk, id_) == {f"{REFUSES.sentence} The public answer wasn't sent."}


def test_it_waits_until_it_is_known_whether_the_private_reply_was_sent(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.comments("bob", "tide")
    desk.run()
    bob, ana = desk.people(id_)
    for one in (ana, bob):
        db.write(outcome.record_unknown, one.private_id, REFUSES)
    desk.run()
    assert len(desk.ours()) == 2
    db.write(outcome.record_sent, ana.private_id, "found-in-the-thread")
    _is_left_to_a_person(bob.private_id)
    with clock.travel(timedelta(minutes=61)):
        desk.run()
    assert len(desk.ours()) == 2, "found an hour later it would be odd"
    assert desk.got(id_) == {"ana": ("got", "private_late", 1), "bob": ("waits", "private_unknown", 1)}
    assert _why(desk, id_) == {
        "The private reply, and no public answer. The private reply waited for over an hour, so the public "
        "answer wasn't sent. Sent.",
        "Lobby doesn't know whether it was sent. The public answer wasn't sent.",
    }


def _is_left_to_a_person(message_id: int | None) -> None:
    def use_case(session: Session) -> None:
        of = OutboxEntry.message_id == message_id
        session.execute(sa.update(OutboxEntry).where(of).values(open=False))

    db.write(use_case)


def test_a_private_reply_that_is_found_in_time_is_announced(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    (ana,) = desk.people(id_)
    db.write(outcome.record_unknown, ana.private_id, REFUSES)
    with clock.travel(timedelta(minutes=5)):
        desk.run()
        db.write(outcome.record_sent, ana.private_id, "found-in-the-thread")
        desk.run()
    assert [private for _text, private in desk.ours()] == [True, False]


def test_what_is_held_is_announced_within_an_hour_or_never(any_below: Below) -> None:
    desk = any_below
    id_ = desk.campaign()
    for contact in ("ana", "bob"):
        desk.comments(contact, "tide")
    desk.run()
    bob, ana = desk.people(id_)
    with clock.travel(timedelta(minutes=59)):
        db.write(outcome.record_sent, ana.private_id, "went")
        desk.run()
    assert len(desk.ours()) == 3
    with clock.travel(timedelta(minutes=61)):
        desk.run()
        assert len(desk.ours()) == 3
        assert desk.got(id_)["bob"] == ("waits", "private_late", 1)
        db.write(outcome.record_sent, bob.private_id, "went-late")
        desk.run()
        desk.read(again=True)
        desk.run()
    assert len(desk.ours()) == 3
    assert desk.got(id_) == {"ana": ("got", "", 1), "bob": ("got", "private_late", 1)}


def test_two_workers_announce_it_once(any_below: Below) -> None:
    desk = any_below
    desk.campaign()
    for contact in ("ana", "bob", "cleo", "dan"):
        desk.comments(contact, "tide")
    desk.run()
    desk.sends()
    desk.read()
    running_twice.run_side_by_side(desk.desk.generation.directory, 2)
    desk.read(again=True)
    desk.run()
    assert [private for _text, private in desk.ours()] == [True] * 4 + [False] * 4


def test_a_write_that_dies_announces_nothing_and_then_once(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    desk.sends()
    desk.read()
    with mock.patch.object(campaigns, "note_public", side_effect=RuntimeError("killed")):
        running.run_due(desk.desk.generation.directory)
    assert [private for _text, private in desk.ours()] == [True]
    with clock.travel(timedelta(minutes=1)):
        desk.run()
    assert [private for _text, private in desk.ours()] == [True, False]
    assert desk.ran(id_)[0].done == [("privately", ""), ("publicly", "")]


def test_what_was_stopped_or_taken_back_meanwhile_is_not_announced(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    comment = desk.comments("ana", "tide")
    desk.run()
    desk.deletes("ana", comment)
    desk.sends()
    desk.run()
    assert desk.got(id_) == {"ana": ("got", "taken_back", 1)}
    desk.comments("bob", "tide")
    desk.run()
    do(
        lambda work: rules.set_state(work, rules.get(work.session, work.workspace_id, id_), RuleState.OFF),
        desk.desk.workspace,
    )
    desk.sends()
    desk.run()
    assert desk.got(id_)["bob"] == ("got", "off", 1)
    assert [private for _text, private in desk.ours()] == [True, True]


def test_a_rule_that_names_the_public_answer_first_waits_with_it_too(below: Below) -> None:
    desk = below
    id_ = desk.rule(
        {"do": "publicly", "texts": ["Look"]},
        {"do": "privately", "text": LINK},
        conditions=[{"if": "post"}],
    )
    desk.comments("ana", "tide")
    desk.run()
    assert desk.ours() == [(LINK, True)]
    desk.sends()
    desk.run()
    assert desk.ours() == [(LINK, True), ("Look", False)]
    assert desk.ran(id_)[0].done == [("publicly", ""), ("privately", "")]


def test_a_desk_put_back_announces_nothing_of_before(below: Below) -> None:
    desk = below
    id_ = desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    left = registry.hooks().leave_to_people
    assert db.write(lambda session: left(session=session, now=clock.now(), most=9))
    desk.sends()
    desk.run()
    assert desk.got(id_) == {"ana": ("got", "restored", 1)}
    assert len(desk.ours()) == 1


def _why(desk: Below, rule_id: int) -> set[str]:
    return {campaign_words.why(one, None, "", clock.now()) for one in desk.people(rule_id)}


@pytest.mark.parametrize(
    ("text", "near"),
    [("tides", True), ("tdie", True), ("tid", True), ("tidy", True), ("tree", False), ("tied up", True)],
)
def test_a_near_miss_is_within_a_word_or_one_slip_away(text: str, near: bool) -> None:
    assert is_near(text, ["tide"]) is near
