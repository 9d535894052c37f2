"""Check every ten minutes that each account's token is valid and that Meta still delivers.

Meta ends a subscription automatically after an hour of failed deliveries, and notifies only the developer
(documentation/business-messaging/messenger-platform/webhooks).
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountState, catch_up, clear_warning, warn
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop
from host.sdk.pages import Job

from .. import restrictions
from ..accounts import Credentials, credentials, find, in_use, live_ids, stop
from ..config import Flavour
from ..connect import comments_switch
from ..connect.checks import held_of, is_dead
from ..errors import Outcome, classify
from ..graph import GraphError

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
SUBSCRIPTION = "subscription"


def watch() -> None:
    """Check every connected account; a failure of one does not stop the others."""
    restrictions.settle()
    for row in in_use():
        if row.state is not AccountState.CONNECTED:
            continue
        try:
            found = credentials(row.account.id)
            if found is not None and not restrictions.probe(found):
                look_after(found)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", row.account.id, error)
        except GraphError as error:
            log.warning("account %s could not be checked with Meta: %s", row.account.id, error.quote)
        except Exception:
            log.exception("looking after account %s failed", row.account.id)


def look_after(found: Credentials) -> bool:
    """Check one account: mark it if its token is dead, and subscribe it again if Meta ended the subscription.

    :return: whether Meta accepts its token.
    :raises GraphError: if Meta could not be reached, which proves nothing about the account.
    """
    graph = found.graph()
    try:
        graph.me()
    except GraphError as error:
        known = classify(error)
        if known.restriction:
            restrictions.refused(found, error, f"watchdog of {found.account_id}")
        if known.outcome is not Outcome.RECONNECT or not is_dead(found):
            raise
        log.warning("account %s has to be connected again: %s", found.account_id, error.quote)
        stop(found.account_id, known.sentence)
        return False
    with db.read() as session:
        row = find(session, found.account_id)
    if row is None:
        return True
    if not found.may_subscribe:
        # Only its owner can check then; the card says so.
        db.write(_note, found.account_id, ())
        clear_warning(found.account_id, SUBSCRIPTION)
        return True
    wanted = comments_switch.fields_of(found)
    held = _held(found, row.app_id)
    if any(name not in held for name in wanted):
        log.warning(
            "account %s was not subscribed to everything at Meta; subscribing again", found.account_id
        )
        graph.subscribe(found.node, tuple(dict.fromkeys((*wanted, *held))))
        before, held = held, _held(found, row.app_id)
        _catch_up(found, before, held)
    db.write(_note, found.account_id, held)
    missing = [name for name in wanted if name not in held]
    if not missing:
        clear_warning(found.account_id, SUBSCRIPTION)
        return True
    warn(
        found.account_id,
        SUBSCRIPTION,
        noop("Meta isn't delivering everything. It accepted the subscription but doesn't list %(missing)s."),
        next_step=noop(
            "Choose Subscribe again on its card. If this keeps happening, Diagnose shows the problem."
        ),
        details={"missing": ", ".join(missing)},
        stage=",".join(missing)[:64],
        bad=True,
    )
    return True


def _catch_up(found: Credentials, before: Collection[str], held: Collection[str]) -> None:
    """Fetch messages written while nothing was delivered, because Meta does not deliver them later."""
    with db.read() as session:
        row, live = find(session, found.account_id), live_ids(session, found.account_id)
    for one in live if row is not None else ():
        of_messages = row is not None and one == row.account_id
        name = "messages" if of_messages else "comments"
        # A Page's account gets comments as long as the Page is subscribed to any field.
        deaf = name not in before if of_messages or found.flavour is Flavour.LOGIN else not before
        if deaf and (name in held or not of_messages):
            catch_up(one)


def _held(found: Credentials, app_id: str) -> tuple[str, ...]:
    return held_of(found.graph().subscriptions(found.node), found.flavour, app_id) or ()


def _note(session: Session, account_id: int, held: tuple[str, ...]) -> None:
    row = find(session, account_id)
    if row is not None:
        row.subscribed_fields = list(held)
        row.checked_at = clock.now()


JOB = Job("watchdog", EVERY, watch)
