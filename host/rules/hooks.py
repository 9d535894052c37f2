"""Hooks that run rules for events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation.deciding import RunKind
from host.automation.runs import Doer
from host.channels.directory import Directory
from host.core.ports import RuleDirectory
from host.events.reading import Recorded
from host.features.automation_overview import AutomationOverview, OverviewAccount
from host.features.hookspecs import hookimpl
from host.features.message_trial import TrialStep
from host.features.messages_after import MessagesAfter
from host.features.today import AutomaticKind
from host.models.inbox import CAMPAIGN_KEY
from host.rules import campaign_answers, evaluation, forecast, public_answers
from host.rules import rules as rule_cases
from host.rules.overview import overview
from host.rules.pages import trials


@hookimpl
def runs_of(
    session: Session, events: Sequence[Recorded], directory: RuleDirectory, now: datetime, since: datetime
) -> list[Mapping[str, Any]]:
    """Return runs for rules that match, and for campaigns whose private reply was answered."""
    about = [one for one in events if one.occurred_at >= since and evaluation.counts(one, now)]
    asked = evaluation.runs(session, about, directory, now, since) if about else []
    return [*asked, *campaign_answers.runs(session, events, now)]


@hookimpl
def answer_sequences(session: Session, events: Sequence[Recorded]) -> Mapping[int, tuple[int, int]]:
    """Return the answers to private replies whose campaign starts a sequence."""
    return campaign_answers.sequences(session, events)


@hookimpl
def after_runs(session: Session, events: Sequence[Recorded], now: datetime) -> None:
    """Wake public answers that wait for the outcome of a private reply."""
    public_answers.wake(session, events, now)


@hookimpl
def doer_of(session: Session, kind: str, workspace_id: int) -> Doer | None:
    """Return the function that does runs of *kind*: passes, waits, and the steps after private replies."""
    if kind == RunKind.ANSWER:
        return Doer(sends=False, do=campaign_answers.do)
    if kind == RunKind.PUBLIC_ANSWER:
        return Doer(sends=True, do=public_answers.do)
    if kind not in {RunKind.RULES, RunKind.WAIT}:
        return None
    rules = evaluation.active(session, [workspace_id]).get(workspace_id, ())
    act = evaluation.do_pass if kind == RunKind.RULES else evaluation.do_wait
    return Doer(evaluation.may_send(rules), partial(act, rules=rules))


@hookimpl
def stopped_without(session: Session, workspace_id: int, directory: Directory) -> list[tuple[str, str, str]]:
    """Return the live and shadow rules that are inactive without an addon."""
    there = rule_cases.there(session, workspace_id, directory)
    return [
        ("campaign" if rule.is_campaign else "rule", rule.name, "")
        for rule in rule_cases.listing(session, workspace_id, there)
        if rule.acts and rule.rests
    ]


@hookimpl
def tried_message(
    session: Session, workspace_id: int, account_id: int, text: str, directory: Directory, now: datetime
) -> Sequence[TrialStep]:
    """Return the rules that would look at a new customer's first message."""
    return trials.steps(session, workspace_id, account_id, text, directory, now)


@hookimpl
def messages_after(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Collection[int],
    directory: RuleDirectory,
    now: datetime,
) -> Sequence[MessagesAfter]:
    """Return the rules that could send something because of events of *kinds*."""
    return forecast.messages_after(session, workspace_id, kinds, conversations, directory, now)


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: Directory
) -> AutomationOverview:
    """Return the rules and campaigns of each account."""
    return overview(session, workspace_id, accounts, directory)


@hookimpl
def automatic_messages() -> Sequence[AutomaticKind]:
    """Return the messages of rules and campaigns, by the keys they are queued with."""
    return [AutomaticKind("rule-", 60, _l("Rules")), AutomaticKind(CAMPAIGN_KEY, 70, _l("Campaigns"))]
