"""A campaign against the stand-in: what Meta refuses in private is not announced in public."""

from __future__ import annotations

from typing import Any

import pytest

from host.automation import running
from host.automation.consuming import Automating
from host.channels.directory import Directory
from host.core import clock, db
from host.events import reading
from host.events.reading import BEGINNING
from host.inbox.apply.changes import apply_changes
from host.rules import log, people, rules
from host.rules.body import given
from host.rules.models import RuleState
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageReceived, Post
from tests import helpers
from tests.delivery.desk import drain
from tests.helpers import do
from tests.inbox import toys
from tests.instagram.test_below import said
from tests.instagram.world import ANA, Addon, Meta

POST = Post("17895000000100130", text="Tide mugs")
PUBLIC = "Sent you a DM!"


class Desk:
    """A desk with a campaign, run step by step."""

    def __init__(self, comments: AccountRef, ig: Addon) -> None:
        self.account, self.adapter = comments, ig.comments.channel.CommentsAdapter()
        self.generation = helpers.StandInGeneration(directory=Directory([self.adapter]))
        self.consumer = Automating(lambda: self.generation.directory)
        body = given(
            {
                "when": "message.received",
                "conditions": [{"if": "post"}, {"if": "words", "words": ["link"]}],
                "actions": [
                    {"do": "privately", "text": "Here is the link"},
                    {"do": "publicly", "texts": [PUBLIC]},
                ],
                "once": "contact",
                "campaign": {},
            }
        )
        with db.read() as session:
            what = rules.there(session, comments.workspace_id, self.generation.directory)
        named: dict[str, Any] = {"name": "Link", "body": body, "what": what, "state": RuleState.LIVE}
        self.rule_id: int = do(lambda work: rules.create(work, **named).id, comments.workspace_id)

    def comment(self, meta: Meta) -> None:
        """Let Ana write the word below a post, at the stand-in and here."""
        name = said(meta, "link")
        change = MessageReceived(ANA, name, clock.now(), text="link", opens_window=False, post=POST)
        db.write(apply_changes, [toys.incoming(self.account, change, adapter=self.adapter)])

    def run(self) -> None:
        """Do what there is, until there is nothing more."""
        for _round in range(3):
            reading.number_all()
            with db.read() as session:
                events = reading.after(session, BEGINNING, 200).events
            db.write(self.consumer.consume, events)
            while running.run_due(self.generation.directory):
                pass
            drain(self.generation)


def _public(meta: Meta) -> list[str]:
    return [one.text for one in meta.box.world.comments.values() if one.ours]


@pytest.mark.parametrize(("code", "subcode"), [(551, 1545041), (100, 2534025), (10, 2534022)])
def test_what_meta_refuses_in_private_is_not_announced(
    comments: AccountRef, ig: Addon, meta: Meta, code: int, subcode: int
) -> None:
    desk = Desk(comments, ig)
    meta.fault("send", "error", code=code, subcode=subcode)
    for _ in range(2):
        desk.comment(meta)
        desk.run()
    assert _public(meta) == []
    with db.read() as session:
        (person,) = people.listing(session, desk.rule_id)
        runs = log.runs(session, desk.rule_id)
    assert (person.got, person.reason) == ("refused", "no_private")
    assert [one.done for one in runs] == [[("privately", ""), ("publicly", "no_private")]] * 2


def test_what_meta_takes_is_announced_once(comments: AccountRef, ig: Addon, meta: Meta) -> None:
    desk = Desk(comments, ig)
    desk.comment(meta)
    desk.run()
    assert _public(meta) == [PUBLIC]
    assert len(meta.sent()) == 1
