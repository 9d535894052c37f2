"""Sequences that campaigns start when a person answers their private reply."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation import running
from host.core import clock, db
from host.inbox.labels.models import ConversationLabel
from host.models.users import Role
from host.rules import rules
from host.rules.body import RuleError
from host.rules.models import RuleState
from host.sequences.body import Ask, Starts
from host.sequences.models import SequenceState
from tests import helpers
from tests.helpers import do
from tests.rules.below import LINK, Below, open_below
from tests.rules.test_campaigns_page import form, path
from tests.rules.test_rules_page import text
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_starts_by_rules import ASK, BY_RULES, END, change


class Both(Sequenced, Below):
    """A desk with sequences on which people write below posts."""


@pytest.fixture
def both(database: db.Database, data: Path) -> Both:
    return Both(open_below(data).desk)


@pytest.fixture
def any_both(any_database: db.Database, tmp_path: Path) -> Both:
    """The same on each kind of database."""
    (tmp_path / "data").mkdir()
    return Both(open_below(tmp_path / "data").desk)


def commented(desk: Both, **campaign: Any) -> int:
    """Add a campaign whose private reply to Ana was sent; return its id."""
    id_ = desk.campaign(texts=(), **campaign)
    desk.comments("ana", "tide")
    desk.run()
    desk.sends()
    return id_


def writes(desk: Both, text: str, seconds: int = 2) -> None:
    desk.writes("ana", text, clock.now() + timedelta(seconds=seconds))
    desk.run()


def said(desk: Both) -> list[str]:
    """Return our messages, oldest first."""
    return [text for text, _private in desk.ours()]


def started(desk: Both) -> list[str]:
    return [one.started_by for one in desk.runs()]


def test_the_answer_to_a_private_reply_starts_a_sequence(any_both: Both) -> None:
    desk = any_both
    sequence, label = desk.sequence(ASK, END, starts=Starts()), desk.label("Tide")
    id_ = commented(desk, sequence=sequence, label=label)
    writes(desk, "Yes, one")
    assert started(desk) == ["campaign"]
    assert said(desk) == [LINK, "Which size?"]
    assert desk.people(id_)[0].answered_at is not None
    with db.read() as session:
        assert list(session.scalars(sa.select(ConversationLabel.label_id))) == [label]
    writes(desk, "XL", 3)
    assert desk.answers() == {"size": "XL"}
    assert desk.last.outcome == "done"
    writes(desk, "Thanks", 4)
    assert started(desk) == ["campaign"], "once per campaign and person"


def test_it_goes_before_sequences_and_rules_that_wait_for_words(both: Both) -> None:
    desk = both
    desk.sequence(Ask(id="other", text="Other?", variable="other"), END, starts=Starts(words=("yes",)))
    sequence = desk.sequence(ASK, END, starts=Starts())
    rule = desk.rule({"do": "say", "text": "By a rule"}, conditions=[{"if": "words", "words": ["yes"]}])
    commented(desk, sequence=sequence)
    writes(desk, "Yes, one")
    assert said(desk) == [LINK, "Which size?"]
    assert desk.ran(rule) == []


def test_a_message_from_before_the_private_reply_starts_none(both: Both) -> None:
    desk = both
    desk.campaign(texts=(), sequence=desk.sequence(ASK, END, starts=Starts()))
    desk.comments("ana", "tide")
    desk.run()
    writes(desk, "Hello?", 0)
    assert started(desk) == []
    desk.sends()
    writes(desk, "Yes")
    assert started(desk) == ["campaign"]


@pytest.mark.parametrize("state", [SequenceState.OFF, SequenceState.DRAFT])
def test_without_its_sequence_the_message_is_like_any_other(both: Both, state: SequenceState) -> None:
    desk = both
    sequence = desk.sequence(ASK, END, starts=Starts())
    rule = desk.rule({"do": "say", "text": "By a rule"}, conditions=[{"if": "words", "words": ["yes"]}])
    id_ = commented(desk, sequence=sequence)
    change(desk, sequence, state)
    writes(desk, "Yes, one")
    assert (started(desk), said(desk)) == ([], [LINK, "By a rule"])
    assert desk.people(id_)[0].answered_at is not None
    assert len(desk.ran(rule)) == 1


def test_turned_off_in_between_it_leaves_the_message_to_rules(both: Both) -> None:
    desk = both
    sequence = desk.sequence(ASK, END, starts=Starts())
    desk.rule({"do": "say", "text": "By a rule"}, conditions=[{"if": "words", "words": ["yes"]}])
    id_ = commented(desk, sequence=sequence)
    desk.writes("ana", "Yes, one", clock.now() + timedelta(seconds=2))
    desk.read()
    change(desk, sequence, SequenceState.OFF)
    while running.run_due(desk.desk.generation.directory):
        pass
    desk.run()
    assert (started(desk), said(desk)) == ([], [LINK, "By a rule"])
    assert desk.people(id_)[0].answered_at is not None
    kinds = [kind for kind, *_rest in desk.runs_of_automation()]
    assert kinds.count("answer") == 1


def test_a_campaign_that_is_off_starts_none(both: Both) -> None:
    desk = both
    sequence = desk.sequence(ASK, END, starts=Starts())
    id_ = commented(desk, sequence=sequence)
    do(
        lambda work: rules.set_state(work, rules.get(work.session, work.workspace_id, id_), RuleState.OFF),
        desk.desk.workspace,
    )
    writes(desk, "Yes, one")
    assert started(desk) == []


def test_what_a_campaign_may_name(both: Both) -> None:
    desk = both
    sequence, team = desk.sequence(ASK, END, starts=BY_RULES), desk.team(desk.person("Lea K."))
    with pytest.raises(RuleError, match="deleted") as error:
        desk.campaign(sequence=sequence + 1)
    assert error.value.field == "campaign.sequence"
    with pytest.raises(RuleError, match="assign to a team and start") as error:
        desk.campaign(sequence=sequence, team=team)
    assert error.value.field == "campaign.sequence"


def test_the_form_of_a_campaign_offers_live_sequences(both: Both) -> None:
    desk = both
    person = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    owner = helpers.client_for(desk.desk.app, person)
    desk.comments("zoe", "tide")
    new = path(desk, "new?from=campaign")
    assert 'name="sequence"' not in text(owner.get(new)), "there is nothing to choose"
    sequence = desk.sequence(ASK, END, starts=Starts(), name="Sizes")
    desk.sequence(ASK, END, name="Draft", publish=False)
    assert re.findall(r'<option value="\d+">Start the sequence (\w+)', text(owner.get(new))) == ["Sizes"]
    answer = owner.post_form(path(desk, "new"), **form(post=str(desk.post()), sequence=str(sequence)))
    assert answer.status_code == 303
    (id_,) = re.findall(r"/rules/(\d+)$", answer.headers["Location"])
    change(desk, sequence, SequenceState.OFF)
    page = text(owner.get(path(desk, id_)))
    assert f'<option value="{sequence}" selected>Start the sequence Sizes</option>' in page
    with db.read() as session:
        there = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
        body = rules.shown(session, desk.desk.workspace, int(id_), there).body
    assert body is not None
    assert body.campaign is not None
    assert body.campaign.sequence == sequence
