"""Hourly checks for problems of an account that its owner would not notice.

A token that expires without renewal, revoked permissions, an account that has gone quiet, and sent messages
without echoes each raise one warning. Accounts with a warning are checked again every ten minutes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from host.sdk import clock, db, deliveries
from host.sdk.accounts import (
    AccountOverview,
    AccountState,
    clear_warning,
    warn,
)
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop
from host.sdk.pages import Job

from .. import permissions, restrictions, rights
from ..accounts import book, credentials, find, in_use
from ..answers import AppSubscription
from ..config import Flavour
from ..connect import app_webhook, comments_switch
from ..connect.checks import end_of
from ..graph import GraphError
from .renewal import ENDS, SOON, tell_failed
from .watchdog import look_after

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
AGAIN = timedelta(minutes=10)
DAY = timedelta(days=1)
STAGES = (1, 3, 7, SOON.days)
"""Days before a token's expiry at which people are notified, once each, and once more when it has expired."""

PERMISSIONS = "permissions"
APP = "app-webhook"
QUIET = "quiet"
USUAL = 5
"""Events per day from which a day without any is suspicious."""
USUAL_OVER = timedelta(days=7)
ECHOLESS = "no-echo"
SENDS = 3
ECHO_TAKES = timedelta(minutes=15)
SENDS_OVER = timedelta(days=7)


def inspect() -> None:
    """Inspect every connected account; a failure of one does not stop the others."""
    for row in in_use():
        if row.state is AccountState.CONNECTED:
            _inspect(row)


def look_again() -> None:
    """Inspect accounts with warnings again, clear resolved warnings, and let accounts send that may again."""
    rights.look_again()
    for row in in_use():
        if row.state is AccountState.CONNECTED and row.warnings:
            _inspect(row)


def _inspect(row: AccountOverview) -> None:
    bound = book.get().by_uuid.get(row.account.uuid)
    if bound is not None and restrictions.is_restricted(bound.app):
        return  # its warning explains why nothing arrives or is sent
    for look in (_worth, _ends, _app, _quiet, _echoless):
        try:
            look(row)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", row.account.id, error)
        except GraphError as error:
            log.warning("account %s could not be inspected with Meta: %s", row.account.id, error.quote)
        except Exception:
            log.exception("inspecting account %s failed", row.account.id)


def stage_of(end: datetime, now: datetime) -> int | None:
    """Return how close an expiry is: 14, 7, 3 or 1 days, 0 once expired; None if it is further away."""
    if end <= now:
        return 0
    return next((days for days in STAGES if end - now <= days * DAY), None)


def _ends(row: AccountOverview) -> None:
    """Warn of a token that expires. One that renews automatically only gets this far if renewal keeps
    failing.
    """
    with db.read() as session:
        found = find(session, row.account.id)
    end = None if found is None else found.token_expires_at
    stage = None if end is None else stage_of(end, clock.now())
    if found is None or end is None or stage is None:
        if found is not None and found.renewal_error:
            tell_failed(found)
        else:
            clear_warning(row.account.id, ENDS)
        return
    sentence = noop("The token expires on %(date)s.")
    if stage == 0:
        sentence = noop("The token expired on %(date)s.")
    step = noop("Paste a new token before then. All conversations stay.")
    if row.way != "pasted":
        step = noop("Reconnect the account before then. All conversations stay.")
        if found.renewal_error:
            step = noop("Renewal failed: %(why)s Reconnect the account. All conversations stay.")
    elif stage == 0:
        step = noop("Paste a new token. All conversations stay.")
    details: dict[str, str | datetime] = {"date": end, "why": (found.renewal_error or "").rstrip(".") + "."}
    warn(
        row.account.id,
        ENDS,
        sentence,
        next_step=step,
        details=details,
        stage=str(stage),
        bad=stage <= 1,
    )


def _worth(row: AccountOverview) -> None:
    """Check a Page token's current permissions: it has no expiry, but can be revoked or restricted.

    Renewal checks a token of Instagram Login; Meta documents no call that inspects one
    (docs/instagram-platform/instagram-api-with-instagram-login).
    """
    found = credentials(row.account.id)
    if found is None or found.flavour is not Flavour.PAGE:
        return
    facts = found.graph().token_facts()
    if not facts.is_valid:
        look_after(found)
        return
    db.write(_note, row.account.id, facts.scopes, end_of(facts))
    wanted = permissions.missing(Flavour.PAGE, facts.scopes, comments=comments_switch.wanted(row.account))
    must = permissions.lacking(Flavour.PAGE, facts.scopes)
    told = next((one.stage for one in row.warnings if one.kind == PERMISSIONS), "").split(",")
    # A permission that was never granted is on the card and needs no warning.
    missing = [name for name in wanted if name in must or name in found.scopes or name in told]
    if not missing:
        clear_warning(row.account.id, PERMISSIONS)
        return
    warn(
        row.account.id,
        PERMISSIONS,
        noop("These permissions were revoked: %(missing)s."),
        next_step=noop("Reconnect the account and keep all permissions selected."),
        details={"missing": ", ".join(missing)},
        stage=stage_of_names(missing),
        bad=bool(must),
    )


def stage_of_names(names: Sequence[str]) -> str:
    """Return names as a warning's stage, as many as fit without cutting one."""
    found = ""
    for name in names:
        longer = f"{found},{name}" if found else name
        found = longer if len(longer) <= 64 else found
    return found


def _app(row: AccountOverview) -> None:
    """Warn when the Meta app's own webhook is off or lacks messages, and Lobby could not repair it."""
    found = credentials(row.account.id)
    with db.read() as session:
        kept = find(session, row.account.id)
    if found is None or kept is None or found.flavour is not Flavour.PAGE:
        return
    wanted = "comments" if comments_switch.is_one(row.account) else "messages"
    webhook = found.graph().app_webhook(kept.app_id)
    if not _delivers(webhook, wanted):
        try:
            app_webhook.lead_here(row.account)
        except GraphError as error:
            log.info("the webhook of app %s could not be set: %s", kept.app_id, error.quote)
        webhook = found.graph().app_webhook(kept.app_id)
    if webhook is None or _delivers(webhook, wanted):
        clear_warning(row.account.id, APP)
        return
    warn(
        row.account.id,
        APP,
        noop(
            "The Meta app %(app)s isn't delivering messages. Its webhook is off, or messages isn't selected."
        )
        if wanted == "messages"
        else noop(
            "The Meta app %(app)s isn't delivering comments. Its webhook is off, or comments isn't selected."
        ),
        next_step=noop("In the Meta app, under Webhooks, Instagram, subscribe again and select the fields."),
        details={"app": kept.app_id},
        bad=True,
    )


def _delivers(webhook: AppSubscription | None, wanted: str) -> bool:
    """Return whether any app's webhook delivers the field *wanted*."""
    return webhook is not None and webhook.active and any(one.name == wanted for one in webhook.fields)


def _note(session: Session, account_id: int, scopes: tuple[str, ...], end: datetime | None) -> None:
    row = find(session, account_id)
    if row is not None:
        row.scopes, row.token_expires_at = list(scopes), end


def _quiet(row: AccountOverview) -> None:
    """Warn of an account that had events every day, and none for a day."""
    last = row.last_event_at
    if last is None or clock.now() - last < DAY:
        clear_warning(row.account.id, QUIET)
        return
    begin = max(last - USUAL_OVER, min(row.connected_at, last))
    wanted = math.ceil(max((last - begin) / DAY, 1.0) * USUAL)
    if deliveries.count_events(row.account.id, begin, last, most=wanted) < wanted:
        return
    warn(
        row.account.id,
        QUIET,
        noop("Nothing has arrived for 24 hours. Usually there are five or more events a day."),
        next_step=noop("Choose Diagnose on its card to see if there is a problem."),
    )


def _echoless(row: AccountOverview) -> None:
    """Warn when the last three sent messages had no echo, because then nothing else arrives either."""
    if comments_switch.is_one(row.account):
        return
    now = clock.now()
    since = max(now - SENDS_OVER, row.connected_at)
    sent = deliveries.last_sent(row.account.id, SENDS, since=since, until=now - ECHO_TAKES)
    if len(sent) < SENDS:
        clear_warning(row.account.id, ECHOLESS)
        return
    if deliveries.have_come(row.account.id, [f"echo:{mid}" for mid in sent]):
        clear_warning(row.account.id, ECHOLESS)
        return
    warn(
        row.account.id,
        ECHOLESS,
        noop(
            "Meta confirmed none of the last three sent messages, which it does while it delivers to "
            "this desk."
        ),
        next_step=noop("Choose Diagnose on its card to see if there is a problem."),
    )


JOB = Job("inspection", EVERY, inspect)
WARNED_JOB = Job("warned", AGAIN, look_again)
