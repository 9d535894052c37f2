"""Which rules would act on a message that was only tried, such as in the playground of an assistant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from host.automation import condition_facts, condition_words
from host.channels.directory import Directory
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.features.message_trial import TrialStep
from host.models.channels import ChannelAccount
from host.rules import evaluation
from host.rules import rules as rule_cases
from host.rules.body import RuleTargets
from host.rules.evaluation import Verdict
from host.rules.pages import words
from host.web.languages import gettext as _


def steps(
    session: Session, workspace_id: int, account_id: int, text: str, directory: Directory, now: datetime
) -> list[TrialStep]:
    """Return the rules that a new customer's first message would reach, in their order.

    A campaign waits for comments, so it isn't among them.
    """
    account = session.get(ChannelAccount, account_id)
    if account is None or account.workspace_id != workspace_id:
        return []
    rules = [
        one
        for one in evaluation.active(session, [workspace_id]).get(workspace_id, ())
        if one.body.when == MESSAGE_RECEIVED and one.body.campaign is None
    ]
    if not rules:
        return []
    about = condition_facts.of_first_message(
        session, account, text, [one.body for one in rules], directory, now
    )
    what = rule_cases.there(session, workspace_id, directory)
    return [*_said(evaluation.judge(rules, about), what)]


def _said(verdicts: list[Verdict], what: RuleTargets) -> Iterator[TrialStep]:
    for rule, matches, _trace in verdicts:
        if not matches:
            yield TrialStep("bolt", rule.name)
        elif not rule.live:
            yield TrialStep("bolt", rule.name, does=_("matches, but runs in shadow mode"))
        else:
            done = condition_words.both(words.action(one, what) for one in rule.body.actions)
            yield TrialStep("bolt", rule.name, acts=True, does=done)
