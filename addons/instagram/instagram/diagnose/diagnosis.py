"""Diagnose: checks for common complaints, with evidence and a fix, in order of likelihood.

Findings never quote a credential: of a secret they show only its length and the day it was entered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from host.sdk import clock, db, deliveries
from host.sdk.cards import RECONNECT, Finding, Verdict
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_date, format_datetime, lazy_gettext
from host.sdk.i18n import gettext as _

from .. import config, dashboard, permissions
from ..accounts import credentials, find, stop
from ..config import Flavour
from ..connect import app_webhook, comments_switch
from ..connect.checks import held_of
from ..errors import Outcome, classify
from ..graph import GraphError
from ..values import identifier, mapping, text
from . import receiving, sending
from .examination import Examination, is_old, way_of

LEAD_HERE = "app-webhook"
"""The action that points the Meta app's webhook here."""
HANDLED = ("messages", "messaging_postbacks", "message_reactions", "comments")
THREADS = 20
_SWITCH = {(200, 2534041), (10, 2534041)}


def diagnose(account: AccountRef) -> Sequence[Finding]:
    """Run every check on *account*. If Meta can't be reached, the finding says so and the others still
    run.
    """
    name, title = "credentials", _("Stored credentials can be read")
    with db.read() as session:
        row = find(session, account.id)
    try:
        found = credentials(account.id)
    except SecretUnreadableError:
        found = None
    seen = deliveries.of_account(account.id)
    if row is None or found is None or seen is None:
        fix = _(
            "Reconnect the account. If this keeps happening, ask your admin to restore the file of "
            "secret keys."
        )
        evidence = _("They are missing or can't be decrypted.")
        return [Finding(name, title, Verdict.FAIL, evidence, fix, RECONNECT)]
    exam = Examination(account, row, found, seen, way_of(account), [Finding(name, title, Verdict.PASS)])
    of_comments = comments_switch.is_one(account)
    for exam.name, label, check in _CHECKS:
        if of_comments and exam.name not in _OF_COMMENTS:
            continue
        exam.title = str(label)
        try:
            check(exam)
        except GraphError as error:
            words = _("Meta responded: %(words)s", words=error.quote)
            exam.note(Verdict.UNKNOWN, words, _(classify(error).next_step))
    return exam.findings


def _token(exam: Examination) -> None:
    """Check that the token is valid, not about to expire, and has its permissions."""
    try:
        exam.found.graph().me()
    except GraphError as error:
        if error.code is None:
            raise
        known = classify(error)
        if known.restriction:
            raise
        if known.outcome is Outcome.RECONNECT:
            stop(exam.account.id, known.sentence)
        evidence = f"{_(known.sentence)} {_('Meta responded: %(words)s', words=error.quote)}"
        fix = _("Reconnect the account. All conversations stay.")
        link = dashboard.granted(page=exam.found.flavour is Flavour.PAGE)
        exam.note(Verdict.FAIL, evidence, fix, RECONNECT, link=link)
        return
    end = exam.row.token_expires_at
    evidence = _("It expires on %(date)s.", date=format_date(end)) if end else _("It doesn't expire.")
    if exam.row.renewal_error:
        failed_at = exam.row.renewal_failed_at or clock.now()
        evidence += " " + _(
            "Renewal failed on %(when)s: %(words)s",
            when=format_datetime(failed_at),
            words=exam.row.renewal_error,
        )
        fix = _("Reconnect the account before it expires.")
        link = dashboard.granted(page=False)
        exam.note(Verdict.FAIL, evidence, fix, RECONNECT, seen_at=failed_at, link=link)
        return
    exam.note(Verdict.PASS, evidence)


def _permissions(exam: Examination) -> None:
    """Check the token's current permissions, some of which a person may have revoked."""
    flavour, page = exam.found.flavour, exam.found.flavour is Flavour.PAGE
    with_comments = comments_switch.wanted(exam.account)
    held = exam.found.graph().token_facts().scopes if page else tuple(exam.row.scopes)
    missing = permissions.missing(flavour, held, comments=with_comments)
    if not missing:
        count = len(config.scopes_of(flavour, comments=with_comments))
        exam.note(Verdict.PASS, _("It has all %(count)s.", count=count))
        return
    fix = _("Reconnect the account and keep all permissions selected.")
    if exam.way == "pasted":
        fix = _("Create a token that has them, and paste it under Reconnect.")
    evidence = _("Missing: %(names)s", names=", ".join(missing))
    told = permissions.costs([name for name in missing if permissions.cost(name)])
    verdict = Verdict.FAIL if permissions.lacking(flavour, held) else Verdict.WARN
    link = dashboard.explorer() if exam.way == "pasted" else dashboard.granted(page=page)
    exam.note(verdict, f"{evidence}. {told}" if told else evidence, fix, RECONNECT, link=link)


def _professional(exam: Examination) -> None:
    """Check that the Page is still linked to the account, or that the account is still professional."""
    if exam.found.flavour is Flavour.PAGE:
        page = exam.found.graph().page(exam.found.page_id)
        linked = page.instagram_business_account
        if linked is not None and linked.id == exam.found.ig_user_id:
            exam.note(Verdict.PASS, _("Page “%(page)s”", page=page.name))
            return
        evidence = (
            _("The Page “%(page)s” isn't linked to an account.", page=page.name)
            if linked is None
            else _("The Page “%(page)s” is now linked to @%(name)s.", page=page.name, name=linked.username)
        )
        fix = _("Link this account in the Page's settings.")
        exam.note(Verdict.FAIL, evidence, fix, link=dashboard.linked_account())
        return
    me = exam.found.graph().call("GET", "me", dict[str, Any], params={"fields": "user_id,account_type"})
    inner = mapping(me["data"][0]) if isinstance(me.get("data"), list) and me["data"] else me
    kind = text(inner.get("account_type")).upper()
    fine = kind != "PERSONAL" and identifier(inner.get("user_id")) in {"", exam.found.ig_user_id}
    fix = _("Switch it to a professional account in the Instagram app.")
    exam.note(Verdict.PASS if fine else Verdict.FAIL, kind.title(), fix)


def _allowed(exam: Examination) -> None:
    """Check the owner's switch in the Instagram app. If it is off, nothing arrives, without an error."""
    fix = _(
        "In the Instagram app: Settings, Messages and story replies, Message controls, Connected tools, "
        "Allow access to messages."
    )
    try:
        _threads(exam)
    except GraphError as error:
        if (error.code, error.subcode) in _SWITCH:
            exam.note(Verdict.FAIL, _("Meta reports that it is off."), fix)
            return
        raise
    exam.note(Verdict.PASS, _("Conversations can be read."))


def _live(exam: Examination) -> None:
    """Check whether the app is live. Meta does not say; a message from someone without a role proves it.

    The proof holds for that time only: an app may be put back into development mode unnoticed.
    """
    link, at = dashboard.mode(exam.row.app_id), exam.seen.several_at
    fix = _("Check App Mode at the top of the Meta app.")
    if at is None:
        evidence = _(
            "Lobby can't check this. In development mode, only messages from people with a role in the "
            "app arrive."
        )
        exam.note(Verdict.UNKNOWN, evidence, fix, link=link)
        return
    evidence = _("Messages from different people have arrived, last on %(when)s.", when=format_datetime(at))
    if not is_old(at):
        exam.note(Verdict.PASS, evidence, seen_at=at)
        return
    evidence += " " + _("If the app was returned to development mode since, this would look the same.")
    exam.note(Verdict.UNKNOWN, evidence, fix, seen_at=at, link=link)


def _fields(exam: Examination) -> None:
    """Check the subscription that makes Meta deliver."""
    if not exam.found.may_subscribe:
        link = dashboard.webhooks(exam.row.app_id)
        exam.note(Verdict.WARN, permissions.costs([permissions.SUBSCRIBES]), link=link)
        return
    subscriptions = exam.found.graph().subscriptions(exam.found.node)
    held = held_of(subscriptions, exam.found.flavour, exam.row.app_id)
    if held is None:
        exam.note(Verdict.FAIL, _("No subscription."), _("Subscribe the account."), "subscribe")
        return
    missing = [name for name in comments_switch.fields_of(exam.found) if name not in held]
    evidence = (
        _("Missing: %(names)s", names=", ".join(missing))
        if missing
        else _("Subscribed: %(names)s", names=", ".join(held))
    )
    urgent = any(name in HANDLED for name in missing)
    verdict = Verdict.FAIL if urgent else Verdict.PASS
    exam.note(verdict, evidence, _("Subscribe again."), "subscribe", link=dashboard.webhooks(exam.row.app_id))


def _missing_threads(exam: Examination) -> None:
    """Find threads that Meta has and Lobby does not: requests not accepted, or people hidden from the app."""
    people = _threads(exam)
    known = deliveries.known_contacts(exam.account.id, people)
    missing = [one for one in people if one not in known]
    evidence = _(
        "%(here)s of the newest %(all)s conversations are in Lobby.",
        here=len(people) - len(missing),
        all=len(people),
    )
    if not missing:
        exam.note(Verdict.PASS, evidence)
        return
    fix = _(
        "Only messages sent after connecting arrive automatically. Choose Catch up on the card to import "
        "earlier ones. If new messages from some people are missing, the app is in development mode or "
        "has standard access: give them a role in it, or complete App Review."
    )
    exam.note(Verdict.UNKNOWN, evidence, fix)


def _app_fields(exam: Examination) -> None:
    """Check the fields selected in the app's own webhook, in addition to the Page's."""
    found = app_webhook.of(exam.account)
    if found is None:
        evidence = _("Lobby can't check because it doesn't have the Meta app's ID and secret.")
        fix = _("In the Meta app, under Webhooks, Instagram, select the fields.")
        exam.note(Verdict.UNKNOWN, evidence, fix, link=dashboard.webhooks(exam.row.app_id))
        return
    link, webhook = dashboard.webhooks(found.app_id), found.read()
    by_hand = _(
        "Let Lobby enter it, or enter %(url)s in the Meta app under Webhooks, Instagram and select the "
        "fields.",
        url=config.webhook_url(),
    )
    if webhook is None:
        evidence = _("The app %(app)s has no webhook for Instagram at Meta.", app=found.app_id)
        exam.note(Verdict.UNKNOWN, evidence, by_hand, LEAD_HERE, link=link)
        return
    if not found.is_ours(webhook.callback_url):
        evidence = _("Meta delivers to %(url)s.", url=webhook.callback_url)
        fix = _("In the Meta app, under Webhooks, Instagram, enter %(url)s.", url=config.webhook_url())
        exam.note(Verdict.FAIL, evidence, fix, LEAD_HERE, link=link)
        return
    if not webhook.active:
        exam.note(Verdict.FAIL, _("Meta has disabled the webhook."), by_hand, LEAD_HERE, link=link)
        return
    ticked = [one.name for one in webhook.fields]
    missing = found.lacking(webhook)
    fix = _(
        "Let Lobby select them, or select them in the Meta app under Webhooks, Instagram. Story mentions "
        "have no field of their own and arrive under messages."
    )
    if missing:
        urgent = any(name in HANDLED for name in missing)
        evidence = _("Missing: %(names)s", names=", ".join(missing))
        exam.note(Verdict.FAIL if urgent else Verdict.WARN, evidence, fix, LEAD_HERE, link=link)
    else:
        exam.note(Verdict.PASS, _("Subscribed: %(names)s", names=", ".join(ticked)))


def _human_agent(exam: Examination) -> None:
    """Check the seven-day reply, which Meta approves per app and refuses with the code of a closed window."""
    if exam.account.settings.get("human_agent") is not True:
        exam.note(Verdict.PASS, _("Off. The reply window closes after 24 hours."))
        return
    evidence = _("On. Meta reveals whether the app is approved only when such a reply is sent.")
    fix = _("If Meta returns error 2534022, turn this off until Human Agent is approved for the app.")
    exam.note(Verdict.UNKNOWN, evidence, fix, sending.LATE_OFF, link=dashboard.review(exam.row.app_id))


def _threads(exam: Examination) -> list[str]:
    """Return the customers of the newest threads at Meta."""
    query = {"platform": "instagram", "fields": "participants", "limit": str(THREADS)}
    answer = exam.found.graph().call("GET", f"{exam.found.node}/conversations", dict[str, Any], params=query)
    found = []
    items = answer.get("data")
    for thread in items if isinstance(items, list) else ():
        people = mapping(mapping(thread).get("participants")).get("data")
        for person in people if isinstance(people, list) else ():
            who = identifier(mapping(person).get("id"))
            if who and who != exam.found.ig_user_id:
                found.append(who)
    return found


_CHECKS: tuple[tuple[str, object, Callable[[Examination], None]], ...] = (
    ("restriction", lazy_gettext("Meta responds to the app"), sending.restriction),
    ("token", lazy_gettext("The token is valid"), _token),
    ("permissions", lazy_gettext("The token has every permission"), _permissions),
    (
        "professional",
        lazy_gettext("The account is professional and linked to the Page"),
        _professional,
    ),
    ("allowed", lazy_gettext("“Allow access to messages” is on"), _allowed),
    ("live", lazy_gettext("The Meta app is live and has Advanced Access"), _live),
    ("fields", lazy_gettext("The account is subscribed to messages"), _fields),
    ("app-fields", lazy_gettext("The Meta app's webhook points here, with the fields selected"), _app_fields),
    ("webhook", lazy_gettext("Meta's deliveries reach this desk"), receiving.webhook),
    ("verification", lazy_gettext("Meta has verified the webhook URL"), receiving.verification),
    ("signature", lazy_gettext("Deliveries have a valid signature"), receiving.signature),
    ("self-test", lazy_gettext("A signed test event arrives"), receiving.self_test),
    ("threads", lazy_gettext("Every recent Instagram conversation is in Lobby"), _missing_threads),
    ("human-agent", lazy_gettext("Replies after 24 hours"), _human_agent),
    ("window", lazy_gettext("Replies are sent in time"), sending.window),
    ("recipients", lazy_gettext("All recipients could be reached"), sending.person),
    ("sending", lazy_gettext("The app and account are allowed to send"), sending.permission),
    ("stories", lazy_gettext("Story mentions and replies"), sending.stories),
)
_OF_COMMENTS = frozenset(
    {
        *("restriction", "token", "permissions", "professional", "live", "fields", "app-fields", "webhook"),
        *("verification", "signature", "self-test", "recipients", "sending"),
    }
)
"""The checks that apply to comments."""
