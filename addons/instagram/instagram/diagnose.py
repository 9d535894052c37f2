"""Diagnose: what people complain about, as executed checks with evidence and a fix, in the order to look.

Nothing here quotes a credential: of a secret only its length and the day it was entered are told.
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

from . import appwebhook, arriving, comments, config, dashboard, permissions, refusing
from .accounts import credentials, find, stop
from .checks import held_of
from .config import Flavour
from .errors import Outcome, classify
from .graph import GraphError
from .look import Look, is_old, way_of
from .values import identifier, mapping, text

LEAD_HERE = "app-webhook"
"""The action that leads the Meta app's webhook here."""
HANDLED = ("messages", "messaging_postbacks", "message_reactions", "comments")
THREADS = 20
_SWITCH = {(200, 2534041), (10, 2534041)}


def diagnose(account: AccountRef) -> Sequence[Finding]:
    """Run every check on *account*. One that cannot ask Meta says so and the next goes on."""
    name, title = "credentials", _("The stored credentials can be read")
    with db.read() as session:
        row = find(session, account.id)
    try:
        found = credentials(account.id)
    except SecretUnreadableError:
        found = None
    seen = deliveries.of_account(account.id)
    if row is None or found is None or seen is None:
        fix = _("Reconnect the account. If it stays, the admin restores the file of secret keys.")
        evidence = _("They are missing or do not open.")
        return [Finding(name, title, Verdict.FAIL, evidence, fix, RECONNECT)]
    look = Look(account, row, found, seen, way_of(account), [Finding(name, title, Verdict.PASS)])
    of_comments = comments.is_one(account)
    for look.name, label, check in _CHECKS:
        if of_comments and look.name not in _OF_COMMENTS:
            continue
        look.title = str(label)
        try:
            check(look)
        except GraphError as error:
            words = _("Meta answered: %(words)s", words=error.quote)
            look.note(Verdict.UNKNOWN, words, _(classify(error).next_step))
    return look.findings


def _token(look: Look) -> None:
    """The token: alive, in time, with its permissions."""
    try:
        look.found.graph().me()
    except GraphError as error:
        if error.code is None:
            raise
        known = classify(error)
        if known.restriction:
            raise
        if known.outcome is Outcome.RECONNECT:
            stop(look.account.id, known.sentence)
        evidence = f"{_(known.sentence)} {_('Meta answered: %(words)s', words=error.quote)}"
        fix = _("Reconnect the account. All conversations stay.")
        link = dashboard.granted(page=look.found.flavour is Flavour.PAGE)
        look.note(Verdict.FAIL, evidence, fix, RECONNECT, link=link)
        return
    end = look.row.token_expires_at
    evidence = (
        _("It ends on %(date)s.", date=format_date(end)) if end else _("It has no date at which it ends.")
    )
    if look.row.renewal_error:
        failed_at = look.row.renewal_failed_at or clock.now()
        evidence += " " + _(
            "Renewing it failed on %(when)s: %(words)s",
            when=format_datetime(failed_at),
            words=look.row.renewal_error,
        )
        fix = _("Reconnect the account before it ends.")
        link = dashboard.granted(page=False)
        look.note(Verdict.FAIL, evidence, fix, RECONNECT, seen_at=failed_at, link=link)
        return
    look.note(Verdict.PASS, evidence)


def _permissions(look: Look) -> None:
    """The permissions the token carries now, some of which a person may have taken back."""
    flavour, page = look.found.flavour, look.found.flavour is Flavour.PAGE
    with_comments = comments.wanted(look.account)
    held = look.found.graph().token_facts().scopes if page else tuple(look.row.scopes)
    missing = permissions.missing(flavour, held, comments=with_comments)
    if not missing:
        count = len(config.scopes_of(flavour, comments=with_comments))
        look.note(Verdict.PASS, _("All %(count)s are there.", count=count))
        return
    fix = _("Reconnect the account and leave every permission ticked.")
    if look.way == "pasted":
        fix = _("Make a token that has them, and paste it under Reconnect.")
    evidence = _("Missing: %(names)s", names=", ".join(missing))
    told = permissions.costs([name for name in missing if permissions.cost(name)])
    verdict = Verdict.FAIL if permissions.lacking(flavour, held) else Verdict.WARN
    link = dashboard.explorer() if look.way == "pasted" else dashboard.granted(page=page)
    look.note(verdict, f"{evidence}. {told}" if told else evidence, fix, RECONNECT, link=link)


def _professional(look: Look) -> None:
    """The Page is still linked to this account, or the account is still a professional one."""
    if look.found.flavour is Flavour.PAGE:
        page = look.found.graph().page(look.found.page_id)
        linked = page.instagram_business_account
        if linked is not None and linked.id == look.found.ig_user_id:
            look.note(Verdict.PASS, _("Page “%(page)s”", page=page.name))
            return
        evidence = (
            _("The Page “%(page)s” is linked to no account.", page=page.name)
            if linked is None
            else _("The Page “%(page)s” is linked to @%(name)s now.", page=page.name, name=linked.username)
        )
        fix = _("Link this account in the Page's settings.")
        look.note(Verdict.FAIL, evidence, fix, link=dashboard.linked_account())
        return
    me = look.found.graph().call("GET", "me", dict[str, Any], params={"fields": "user_id,account_type"})
    inner = mapping(me["data"][0]) if isinstance(me.get("data"), list) and me["data"] else me
    kind = text(inner.get("account_type")).upper()
    fine = kind != "PERSONAL" and identifier(inner.get("user_id")) in {"", look.found.ig_user_id}
    fix = _("Switch it to a professional account in the Instagram app.")
    look.note(Verdict.PASS if fine else Verdict.FAIL, kind.title(), fix)


def _allowed(look: Look) -> None:
    """The owner's own switch on the phone; while it is off nothing arrives and nobody says why."""
    fix = _(
        "On the phone: Settings, Messages and story replies, Message controls, Connected tools, "
        "Allow access to messages."
    )
    try:
        _threads(look)
    except GraphError as error:
        if (error.code, error.subcode) in _SWITCH:
            look.note(Verdict.FAIL, _("Meta says it is off."), fix)
            return
        raise
    look.note(Verdict.PASS, _("Threads can be read."))


def _live(look: Look) -> None:
    """Whether the app is live is told to nobody; somebody without a role in it getting through proves it.

    It proves it for then: an app may be put back into development mode, and nothing says so.
    """
    link, at = dashboard.mode(look.row.app_id), look.seen.several_at
    fix = _("Look in the Meta app, at the top: App Mode.")
    if at is None:
        evidence = _(
            "Meta tells no program. In development mode only people with a role in the app get through."
        )
        look.note(Verdict.UNKNOWN, evidence, fix, link=link)
        return
    evidence = _("Different people's messages have arrived, the last on %(when)s.", when=format_datetime(at))
    if not is_old(at):
        look.note(Verdict.PASS, evidence, seen_at=at)
        return
    evidence += " " + _("An app that was put back into development mode since would look the same.")
    look.note(Verdict.UNKNOWN, evidence, fix, seen_at=at, link=link)


def _fields(look: Look) -> None:
    """The subscription that makes Meta deliver."""
    if not look.found.may_subscribe:
        link = dashboard.webhooks(look.row.app_id)
        look.note(Verdict.WARN, permissions.costs([permissions.SUBSCRIBES]), link=link)
        return
    subscriptions = look.found.graph().subscriptions(look.found.node)
    held = held_of(subscriptions, look.found.flavour, look.row.app_id)
    if held is None:
        look.note(Verdict.FAIL, _("There is no subscription."), _("Subscribe."), "subscribe")
        return
    missing = [name for name in comments.fields_of(look.found) if name not in held]
    evidence = (
        _("Missing: %(names)s", names=", ".join(missing))
        if missing
        else _("Subscribed: %(names)s", names=", ".join(held))
    )
    urgent = any(name in HANDLED for name in missing)
    verdict = Verdict.FAIL if urgent else Verdict.PASS
    look.note(verdict, evidence, _("Subscribe again."), "subscribe", link=dashboard.webhooks(look.row.app_id))


def _missing_threads(look: Look) -> None:
    """Threads Meta has and we do not: requests nobody accepted, or people the app may not see."""
    people = _threads(look)
    known = deliveries.known_contacts(look.account.id, people)
    missing = [one for one in people if one not in known]
    evidence = _("%(here)s of the newest %(all)s threads.", here=len(people) - len(missing), all=len(people))
    if not missing:
        look.note(Verdict.PASS, evidence)
        return
    fix = _(
        "Only what is written after connecting arrives by itself; Catch up on the card brings in what was "
        "said before. If new messages of some people are "
        "missing, the app is in development mode or has standard access: they need a role in it, or it "
        "needs App Review."
    )
    look.note(Verdict.UNKNOWN, evidence, fix)


def _app_fields(look: Look) -> None:
    """What is ticked in the app's own webhooks, beside what the Page is subscribed to."""
    found = appwebhook.of(look.account)
    if found is None:
        evidence = _("Lobby does not hold id and secret of the Meta app, so it cannot look.")
        fix = _("In the Meta app, under Webhooks, Instagram: tick the fields.")
        look.note(Verdict.UNKNOWN, evidence, fix, link=dashboard.webhooks(look.row.app_id))
        return
    link, webhook = dashboard.webhooks(found.app_id), found.read()
    by_hand = _(
        "Let Lobby enter it, or in the Meta app, under Webhooks, Instagram: enter %(url)s and tick the "
        "fields.",
        url=config.webhook_url(),
    )
    if webhook is None:
        evidence = _("Meta lists no webhook for Instagram of the app %(app)s.", app=found.app_id)
        look.note(Verdict.UNKNOWN, evidence, by_hand, LEAD_HERE, link=link)
        return
    if not found.is_ours(webhook.callback_url):
        evidence = _("Meta delivers to %(url)s.", url=webhook.callback_url)
        fix = _("In the Meta app, under Webhooks, Instagram: enter %(url)s.", url=config.webhook_url())
        look.note(Verdict.FAIL, evidence, fix, LEAD_HERE, link=link)
        return
    if not webhook.active:
        look.note(Verdict.FAIL, _("Meta has switched the webhook off."), by_hand, LEAD_HERE, link=link)
        return
    ticked = [one.name for one in webhook.fields]
    missing = found.lacking(webhook)
    fix = _(
        "Let Lobby enter them, or in the Meta app, under Webhooks, Instagram: tick them. Story mentions have "
        "no field of their own, they come under messages."
    )
    if missing:
        urgent = any(name in HANDLED for name in missing)
        evidence = _("Missing: %(names)s", names=", ".join(missing))
        look.note(Verdict.FAIL if urgent else Verdict.WARN, evidence, fix, LEAD_HERE, link=link)
    else:
        look.note(Verdict.PASS, _("Subscribed: %(names)s", names=", ".join(ticked)))


def _human_agent(look: Look) -> None:
    """The seven-day reply, which Meta approves per app and refuses with the same code as a closed window."""
    if look.account.settings.get("human_agent") is not True:
        look.note(Verdict.PASS, _("Switched off here: replies close after 24 hours."))
        return
    evidence = _("Switched on here. Meta tells only when such a reply is sent whether the app is approved.")
    fix = _("If Meta refuses with 2534022, switch it off until Human Agent is approved for the app.")
    look.note(Verdict.UNKNOWN, evidence, fix, refusing.LATE_OFF, link=dashboard.review(look.row.app_id))


def _threads(look: Look) -> list[str]:
    """Return the customers of the newest threads at Meta."""
    query = {"platform": "instagram", "fields": "participants", "limit": str(THREADS)}
    answer = look.found.graph().call("GET", f"{look.found.node}/conversations", dict[str, Any], params=query)
    found = []
    items = answer.get("data")
    for thread in items if isinstance(items, list) else ():
        people = mapping(mapping(thread).get("participants")).get("data")
        for person in people if isinstance(people, list) else ():
            who = identifier(mapping(person).get("id"))
            if who and who != look.found.ig_user_id:
                found.append(who)
    return found


_CHECKS: tuple[tuple[str, object, Callable[[Look], None]], ...] = (
    ("restriction", lazy_gettext("Meta answers the app"), refusing.restriction),
    ("token", lazy_gettext("The token works"), _token),
    ("permissions", lazy_gettext("The token carries every permission"), _permissions),
    (
        "professional",
        lazy_gettext("The account is professional, and the Page is linked to it"),
        _professional,
    ),
    ("allowed", lazy_gettext("“Allow access to messages” is on"), _allowed),
    ("live", lazy_gettext("The Meta app is live, with advanced access"), _live),
    ("fields", lazy_gettext("Meta is subscribed to deliver messages"), _fields),
    ("app-fields", lazy_gettext("The Meta app's webhook leads here, with the fields ticked"), _app_fields),
    ("webhook", lazy_gettext("Meta reaches this desk"), arriving.webhook),
    ("verification", lazy_gettext("Meta may use this address"), arriving.verification),
    ("signature", lazy_gettext("Deliveries carry the right signature"), arriving.signature),
    ("self-test", lazy_gettext("A signed test event comes through"), arriving.self_test),
    ("threads", lazy_gettext("Every recent thread at Instagram is here too"), _missing_threads),
    ("human-agent", lazy_gettext("Replies after 24 hours"), _human_agent),
    ("window", lazy_gettext("Replies go out in time"), refusing.window),
    ("recipients", lazy_gettext("Everybody who was written to could be reached"), refusing.person),
    ("sending", lazy_gettext("App and account may send"), refusing.permission),
    ("stories", lazy_gettext("Story mentions and replies"), refusing.stories),
)
_OF_COMMENTS = frozenset(
    {
        *("restriction", "token", "permissions", "professional", "live", "fields", "app-fields", "webhook"),
        *("verification", "signature", "self-test", "recipients", "sending"),
    }
)
"""The checks that say something about comments."""
