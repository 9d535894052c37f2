"""Checks of sending, and of deliveries that cannot arrive: recent refusals by Meta, and their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from host.sdk import clock, deliveries
from host.sdk.cards import RECONNECT, Verdict
from host.sdk.deliveries import FailedSend
from host.sdk.i18n import format_datetime, format_timedelta
from host.sdk.i18n import gettext as _
from host.sdk.messages import MessageKind

from .. import config, dashboard, permissions, restrictions
from ..errors import CatalogueEntry, Outcome, Scope, lookup
from .examination import Examination

LATE_OFF = "late-replies-off"
"""The action that switches off replies after 24 hours."""
LATELY = timedelta(days=7)
NAMED = 10
"""Maximum number of customers without a reply that are named."""
STORIES_LATELY = timedelta(days=30)
WINDOW = {2534022, 2018278, 2018065}
"""Subcodes for a closed reply window; 2534022 also means that Human Agent is not approved."""
HUMAN_AGENT_FROM = timedelta(hours=24)
HUMAN_AGENT_UNTIL = timedelta(days=7)


def _failures(exam: Examination) -> list[tuple[FailedSend, CatalogueEntry | None, int | None]]:
    found = []
    for one in deliveries.failed_sends(exam.account.id, since=clock.now() - LATELY):
        code, _slash, subcode = one.code.partition("/")
        if not code.lstrip("-").isdigit():
            continue
        number = int(subcode) if subcode.isdigit() else None
        found.append((one, lookup(int(code), number), number))
    return found


def window(exam: Examination) -> None:
    """Check for replies refused as too late: one error code means a closed window or a missing approval."""
    late = [one for one, _known, subcode in _failures(exam) if subcode in WINDOW]
    if not late:
        exam.note(Verdict.PASS, _("No message was rejected for being too late in the last seven days."))
        return
    newest = late[0]
    evidence = _(
        "%(count)s rejected for being too late in the last seven days, most recently on %(when)s.",
        count=len(late),
        when=format_datetime(newest.at),
    )
    wrote = newest.last_inbound_at
    after = None if wrote is None or wrote > newest.at else newest.at - wrote
    if wrote is not None and after is not None:
        said = _(
            "The customer's last message before that was on %(wrote)s, %(long)s earlier.",
            wrote=format_datetime(wrote),
            long=format_timedelta(after),
        )
        evidence = f"{evidence} {said}"
    agent = exam.account.settings.get("human_agent") is True
    if agent and (after is None or HUMAN_AGENT_FROM < after <= HUMAN_AGENT_UNTIL):
        fix = _(
            "Replies after 24 hours are turned on, but Meta hasn't approved Human Agent for the app. "
            "Turn them off, or ask Meta for approval."
        )
    elif agent:
        fix = _("Wait until the customer writes again, or send an email.")
    else:
        fix = _(
            "Wait until the customer writes again, or send an email. If Meta has approved Human Agent "
            "for the app, turn on “Allow human replies for 7 days”."
        )
    link = dashboard.review(exam.row.app_id)
    exam.note(Verdict.FAIL, evidence, fix, LATE_OFF if agent else "", seen_at=newest.at, link=link)


def restriction(exam: Examination) -> None:
    """Check for a restriction of the app, and for replies that were too late because of it."""
    state, link = restrictions.state_of(exam.found.app), dashboard.home(exam.row.app_id)
    late = restrictions.too_late(exam.account.id)
    missed = _(
        "Not sent because the reply window closed in the meantime: %(count)s, to %(names)s.",
        count=len(late),
        names=", ".join(dict.fromkeys(one.recipient for one in late[:NAMED]))
        + (" …" if len(late) > NAMED else ""),
    )
    if state is not None and state.restricted_since is not None:
        evidence = _(
            "Meta has restricted the app %(app)s and has rejected every request since %(when)s: %(words)s",
            app=state.app,
            when=format_datetime(state.restricted_since),
            words=state.words,
        )
        fix = _(
            "Open the app in Meta's App Dashboard and appeal under Alerts. Messages wait and are sent "
            "once Meta responds again."
        )
        evidence = f"{evidence} {missed}" if late else evidence
        exam.note(Verdict.FAIL, evidence, fix, seen_at=state.restricted_since, link=link)
    elif late:
        fix = _("Contact them another way, or reply after they write again.")
        exam.note(Verdict.WARN, missed, fix, seen_at=late[0].at)
    elif state is not None and state.suspected:
        evidence = _(
            "Meta rejected a request, possibly because of a restriction: %(words)s", words=state.words
        )
        exam.note(Verdict.UNKNOWN, evidence, _("Wait a few minutes while Lobby checks."), link=link)
    else:
        exam.note(Verdict.PASS)


def person(exam: Examination) -> None:
    """Check for customers who cannot receive messages: they blocked the account or closed theirs."""
    found = [
        (one, known)
        for one, known, subcode in _failures(exam)
        if known is not None and known.scope is Scope.CONTACT and subcode not in WINDOW
    ]
    if not found:
        exam.note(Verdict.PASS, _("No message was rejected because of its recipient in the last seven days."))
        return
    newest, known = found[0]
    evidence = _(
        "%(count)s rejected because of their recipient, most recently on %(when)s. %(why)s",
        count=len(found),
        when=format_datetime(newest.at),
        why=f"{_(known.sentence)} ({newest.code})",
    )
    fix = _("No action needed. The composer shows why it is closed, and opens when they write.")
    exam.note(Verdict.UNKNOWN, evidence, fix)


def permission(exam: Examination) -> None:
    """Check for replies Meta refused because the app or account may not send."""
    found = [
        (one, known)
        for one, known, subcode in _failures(exam)
        if known is not None
        and known.outcome is Outcome.REJECTED
        and known.scope in {Scope.APP, Scope.ACCOUNT}
        and subcode not in WINDOW
    ]
    if not found:
        exam.note(Verdict.PASS, _("No message was rejected for a missing permission in the last seven days."))
        return
    newest, known = found[0]
    evidence = _(
        "%(count)s rejected, most recently on %(when)s. %(why)s",
        count=len(found),
        when=format_datetime(newest.at),
        why=f"{_(known.sentence)} {_(known.cause)} ({newest.code})",
    )
    fix = _(
        "Check that the token has %(scopes)s, that App Review has granted them Advanced Access, and that "
        "the Page is still linked to the account.",
        scopes=", ".join(config.scopes_of(exam.found.flavour)),
    )
    missing = permissions.missing(exam.found.flavour, exam.row.scopes)
    if missing:
        fix = _(
            "Reconnect the account with the missing permissions. %(costs)s", costs=permissions.costs(missing)
        )
    link = dashboard.review(exam.row.app_id)
    exam.note(Verdict.FAIL, evidence, fix, RECONNECT if missing else "", seen_at=newest.at, link=link)


def stories(exam: Examination) -> None:
    """Check for story mentions and replies that cannot arrive, or arrive without their picture."""
    kinds: Sequence[str] = (MessageKind.STORY_MENTION, MessageKind.STORY_REPLY)
    last = deliveries.last_of_kind(exam.account.id, kinds)
    if last is not None and last > clock.now() - STORIES_LATELY:
        exam.note(Verdict.PASS, _("The last one arrived on %(when)s.", when=format_datetime(last)))
        return
    evidence = _("None arrived in the last 30 days.")
    fix = _(
        "They arrive under the field messages, because Meta has no separate field for them. Mentions by "
        "private accounts never arrive. A story's image is available for 24 hours, then replaced by a "
        "placeholder."
    )
    exam.note(Verdict.UNKNOWN, evidence, fix)
