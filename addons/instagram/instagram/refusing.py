"""Checks of what goes out, and of what cannot come: what Meta refused lately, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from host.sdk import clock, deliveries
from host.sdk.cards import RECONNECT, Verdict
from host.sdk.deliveries import FailedSend
from host.sdk.i18n import format_datetime, format_timedelta
from host.sdk.i18n import gettext as _
from host.sdk.messages import MessageKind

from . import config, dashboard, permissions, restrictions
from .errors import Known, Outcome, Scope, lookup
from .look import Look

LATE_OFF = "late-replies-off"
"""The action that switches replies after 24 hours off."""
LATELY = timedelta(days=7)
NAMED = 10
"""Customers that are named, of those who got no reply."""
STORIES_LATELY = timedelta(days=30)
WINDOW = {2534022, 2018278, 2018065}
"""Subcodes that say that the time to reply has passed; 2534022 also that Human Agent is not approved."""
HUMAN_AGENT_FROM = timedelta(hours=24)
HUMAN_AGENT_UNTIL = timedelta(days=7)


def _failures(look: Look) -> list[tuple[FailedSend, Known | None, int | None]]:
    found = []
    for one in deliveries.failed_sends(look.account.id, since=clock.now() - LATELY):
        code, _slash, subcode = one.code.partition("/")
        if not code.lstrip("-").isdigit():
            continue
        number = int(subcode) if subcode.isdigit() else None
        found.append((one, lookup(int(code), number), number))
    return found


def window(look: Look) -> None:
    """Replies refused for their time: one code stands for a window that closed and for a missing approval."""
    late = [one for one, _known, subcode in _failures(look) if subcode in WINDOW]
    if not late:
        look.note(Verdict.PASS, _("None was refused for its time in the last seven days."))
        return
    newest = late[0]
    evidence = _(
        "%(count)s refused for their time in the last seven days, the newest on %(when)s.",
        count=len(late),
        when=format_datetime(newest.at),
    )
    wrote = newest.last_inbound_at
    after = None if wrote is None or wrote > newest.at else newest.at - wrote
    if wrote is not None and after is not None:
        said = _(
            "The customer had written on %(wrote)s, %(long)s before.",
            wrote=format_datetime(wrote),
            long=format_timedelta(after),
        )
        evidence = f"{evidence} {said}"
    agent = look.account.settings.get("human_agent") is True
    if agent and (after is None or HUMAN_AGENT_FROM < after <= HUMAN_AGENT_UNTIL):
        fix = _(
            "The switch for replies after 24 hours is on, but Meta has not approved Human Agent for the app: "
            "switch it off, or ask Meta for the approval."
        )
    elif agent:
        fix = _("Wait until the customer writes again, or write an e-mail.")
    else:
        fix = _(
            "Wait until the customer writes again, or write an e-mail. Where Meta approved Human Agent for "
            "the app, switch “People may reply for 7 days” on."
        )
    link = dashboard.review(look.row.app_id)
    look.note(Verdict.FAIL, evidence, fix, LATE_OFF if agent else "", seen_at=newest.at, link=link)


def restriction(look: Look) -> None:
    """A restriction of the app, and the replies that were too late because of it."""
    state, link = restrictions.state_of(look.found.app), dashboard.home(look.row.app_id)
    late = restrictions.too_late(look.account.id)
    missed = _(
        "Not sent, because the time to reply ended meanwhile: %(count)s, to %(names)s.",
        count=len(late),
        names=", ".join(dict.fromkeys(one.recipient for one in late[:NAMED]))
        + (" …" if len(late) > NAMED else ""),
    )
    if state is not None and state.restricted_since is not None:
        evidence = _(
            "Meta has restricted the app %(app)s. It has refused every call since %(when)s: %(words)s",
            app=state.app,
            when=format_datetime(state.restricted_since),
            words=state.words,
        )
        fix = _(
            "Look at the app in Meta's App Dashboard, under Alerts, and appeal there. Messages wait, and "
            "go out once Meta answers again."
        )
        evidence = f"{evidence} {missed}" if late else evidence
        look.note(Verdict.FAIL, evidence, fix, seen_at=state.restricted_since, link=link)
    elif late:
        fix = _("Write to them once they have written again, or another way.")
        look.note(Verdict.WARN, missed, fix, seen_at=late[0].at)
    elif state is not None and state.suspected:
        evidence = _("Meta refused a call in a way that may mean a restriction: %(words)s", words=state.words)
        look.note(Verdict.UNKNOWN, evidence, _("Wait a few minutes: Lobby is finding out."), link=link)
    else:
        look.note(Verdict.PASS)


def person(look: Look) -> None:
    """Customers who cannot be written to: they blocked the account, closed theirs, or are nobody of it."""
    found = [
        (one, known)
        for one, known, subcode in _failures(look)
        if known is not None and known.scope is Scope.CONTACT and subcode not in WINDOW
    ]
    if not found:
        look.note(Verdict.PASS, _("None was refused because of its recipient in the last seven days."))
        return
    newest, known = found[0]
    evidence = _(
        "%(count)s refused because of their recipient, the newest on %(when)s. %(why)s",
        count=len(found),
        when=format_datetime(newest.at),
        why=f"{_(known.sentence)} ({newest.code})",
    )
    fix = _("Nothing to do: their composer says why it is closed, and opens when they write.")
    look.note(Verdict.UNKNOWN, evidence, fix)


def permission(look: Look) -> None:
    """Replies Meta refused because app or account may not send."""
    found = [
        (one, known)
        for one, known, subcode in _failures(look)
        if known is not None
        and known.outcome is Outcome.REJECTED
        and known.scope in {Scope.APP, Scope.ACCOUNT}
        and subcode not in WINDOW
    ]
    if not found:
        look.note(Verdict.PASS, _("None was refused for want of a permission in the last seven days."))
        return
    newest, known = found[0]
    evidence = _(
        "%(count)s refused, the newest on %(when)s. %(why)s",
        count=len(found),
        when=format_datetime(newest.at),
        why=f"{_(known.sentence)} {_(known.cause)} ({newest.code})",
    )
    fix = _(
        "Look whether the token carries %(scopes)s, whether App Review has granted them Advanced Access, and "
        "whether the Page is still linked to the account.",
        scopes=", ".join(config.scopes_of(look.found.flavour)),
    )
    missing = permissions.missing(look.found.flavour, look.row.scopes)
    if missing:
        fix = _("Connect it again with what is missing: %(costs)s", costs=permissions.costs(missing))
    link = dashboard.review(look.row.app_id)
    look.note(Verdict.FAIL, evidence, fix, RECONNECT if missing else "", seen_at=newest.at, link=link)


def stories(look: Look) -> None:
    """Story mentions and replies: what never comes, and what comes without its picture."""
    kinds: Sequence[str] = (MessageKind.STORY_MENTION, MessageKind.STORY_REPLY)
    last = deliveries.last_of_kind(look.account.id, kinds)
    if last is not None and last > clock.now() - STORIES_LATELY:
        look.note(Verdict.PASS, _("The last one came on %(when)s.", when=format_datetime(last)))
        return
    evidence = _("None came in the last 30 days.")
    fix = _(
        "They come under the field messages; Meta has no field of their own for them. Mentions by private "
        "accounts never arrive. A story's picture is there for 24 hours; then a placeholder takes its place."
    )
    look.note(Verdict.UNKNOWN, evidence, fix)
