"""Rules as they are kept: their versions, and what another release wrote."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.core import db
from host.rules import rules
from host.rules.models import RuleVersion
from host.users.actor import UnitOfWork
from tests.helpers import do
from tests.rules.ruled import Ruled
from tests.rules.test_rules import BROKEN, SORRY

LATER = {"if": "conversation", "filter": {"mood": "angry"}}


def test_a_filter_that_cannot_be_read_lets_nothing_through(automated: Ruled) -> None:
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
    assert [(one.outcome, [each[:2] for each in one.trace]) for one in desk.ran(rule)] == [
        ("", [(True, "broken"), (False, "unreadable")])
    ]


def test_what_is_saved_as_it_was_is_no_new_version(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule(
        SORRY, {"do": "close"}, conditions=[BROKEN, {"if": "any", "of": [BROKEN, {"if": "hours"}]}]
    )

    def save_again(work: UnitOfWork) -> int:
        directory, workspace = desk.desk.generation.directory, desk.desk.workspace
        what = rules.there(work.session, workspace, directory)
        body = rules.shown(work.session, workspace, rule, what).body
        assert body is not None
        return rules.change(work, rule, name="Broken", body=body, what=what).version

    assert do(save_again, desk.desk.workspace) == 1
