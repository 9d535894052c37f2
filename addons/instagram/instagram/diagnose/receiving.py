"""Checks of deliveries: whether Meta verified the webhook, delivers, and signs with the stored secret.

Findings never quote a credential: of a secret they show only its length and the day it was entered, of a
verify token only its beginning. A request that anyone could have sent never makes a check fail.
"""

from __future__ import annotations

import hmac
import json
import secrets
from datetime import UTC, datetime, time, timedelta

from host.sdk import clock, db, deliveries
from host.sdk.cards import Verdict
from host.sdk.deliveries import Refusals
from host.sdk.i18n import format_date, format_datetime
from host.sdk.i18n import gettext as _
from host.sdk.secrets import unseal

from .. import config, dashboard
from ..accounts import own_app, place
from ..config import Flavour
from ..connect import app_webhook, comments_switch
from ..errors import Outcome, classify
from ..graph import GraphError
from ..models import WorkspaceApp
from ..webhook.verification import told_of
from .examination import Examination, is_old

JUST_CONNECTED = timedelta(minutes=10)
SECRET_LENGTH = 32
WITHOUT_A_RIGHT_ONE = timedelta(days=1)
"""How long an account may go without a valid signature before refused deliveries are a warning."""


def webhook(exam: Examination) -> None:
    """Check whether Meta reaches this desk, by its signed deliveries. Lobby's own tests do not count."""
    at = exam.delivered_at
    try_it = _("Send a message to %(handle)s from another account.", handle=exam.account.handle)
    if comments_switch.is_one(exam.account):
        try_it = _("Comment on a post of %(handle)s from another account.", handle=exam.account.handle)
    if at is not None:
        evidence = _("The last event arrived on %(when)s.", when=format_datetime(at))
        if not is_old(at):
            exam.note(Verdict.PASS, evidence, seen_at=at)
            return
        evidence += " " + _("Nobody has written since, or messages aren't arriving.")
        exam.note(Verdict.UNKNOWN, evidence, try_it, seen_at=at)
    elif clock.now() - exam.seen.connected_at < JUST_CONNECTED:
        exam.note(Verdict.UNKNOWN, _("The account was connected less than ten minutes ago."), try_it)
    elif app_webhook.proofs(exam.row).delivered_since(exam.seen.connected_at):
        exam.note(
            Verdict.UNKNOWN,
            _(
                "Nothing has arrived since the account was connected, but its Meta app delivers for other "
                "accounts."
            ),
            try_it,
        )
    else:
        exam.note(
            Verdict.FAIL if not config.webhook_url().startswith("https://") else Verdict.UNKNOWN,
            _(
                "Nothing has arrived since the account was connected. The webhook URL is %(url)s",
                url=config.webhook_url(),
            ),
            _(
                "In the Meta app, under Webhooks, Instagram, check that this URL and its verify token "
                "are entered and the field messages is selected."
            ),
            link=dashboard.webhooks(exam.row.app_id),
        )


def verification(exam: Examination) -> None:
    """Check how Lobby answered Meta's verification of the address.

    Meta's dashboard shows an error until it passes.

    Anyone may send any token. So a wrong one only matters until a verification or a delivery has proved that
    Meta has the right one.
    """
    wrong = [
        one
        for one in (
            exam.seen.refused.get("verify_token"),
            exam.seen.refused_of_nobody.get("verify_token"),
        )
        if one is not None
    ]
    latest = max(wrong, key=lambda one: one.last_at, default=None)
    proofs = app_webhook.proofs(exam.row)
    verified_at, proven_at = proofs.verified_at, proofs.latest
    if latest is not None and (proven_at is None or latest.last_at > proven_at):
        theirs, ours = latest.hint.rpartition("/"), told_of(_verify_token(exam)).rpartition("/")
        evidence = _(
            "On %(when)s, a verification request used a token of %(length)s characters starting with "
            "“%(theirs)s”. The correct one has %(right)s and starts with “%(ours)s”.",
            when=format_datetime(latest.last_at),
            length=theirs[2] or 0,
            theirs=theirs[0],
            right=ours[2],
            ours=ours[0],
        )
        if proven_at is not None:
            evidence += " " + _("Anyone can send such a request, and Meta used the correct token before.")
        fix = _(
            "If Meta's dashboard shows an error for the URL, copy the verify token from %(place)s into "
            "the Meta app again.",
            place=_token_place(exam),
        )
        verdict = Verdict.WARN if proven_at is None else Verdict.UNKNOWN
        exam.note(verdict, evidence, fix, seen_at=latest.last_at, link=dashboard.webhooks(exam.row.app_id))
    elif verified_at is not None:
        # A past verification stays valid; a wrong token since then came from someone else.
        evidence = _("Verified on %(when)s.", when=format_datetime(verified_at))
        exam.note(Verdict.PASS, evidence, seen_at=verified_at)
    elif proofs.delivered_at is not None:
        evidence = _("Signed deliveries are arriving, so the URL has been verified.")
        exam.note(Verdict.PASS, evidence, seen_at=proofs.delivered_at)
    else:
        exam.note(
            Verdict.UNKNOWN,
            _("Meta has never verified the URL."),
            _(
                "In the Meta app, under Webhooks, Instagram, enter %(url)s and its verify token.",
                url=config.webhook_url(),
            ),
            link=dashboard.webhooks(exam.row.app_id),
        )


def _own_app(exam: Examination) -> WorkspaceApp | None:
    """Return the workspace's own Meta app, if the account is connected through it."""
    with db.read() as session:
        own = own_app(session, exam.account.workspace_id, exam.found.flavour)
    return own if own is not None and own.app_id == exam.row.app_id else None


def _verify_token(exam: Examination) -> str:
    if exam.way == "pasted":
        return str(unseal(exam.row.verify_token, place(exam.row, "verify_token")).reveal())
    return config.verify_token(None if _own_app(exam) is None else exam.account.workspace_id)


def _token_place(exam: Examination) -> str:
    if exam.way == "pasted":
        return str(_("the account's settings"))
    return str(
        _("the addon's settings page")
        if _own_app(exam) is None
        else _("Settings, Channels, Your own Meta app")
    )


def signature(exam: Examination) -> None:
    """Check for deliveries with an invalid signature: the App Secret is wrong, or they are not from Meta.

    Only Meta can send a valid signature, so a valid delivery outweighs all refused before it. Meta can also
    confirm whether the secret is right (docs/graph-api/guides/secure-requests).
    """
    delivered_at = exam.seen.last_event_at
    refused = exam.seen.refused.get("signature")
    stray = exam.seen.refused_of_nobody.get("signature")
    if delivered_at is not None:
        refused = refused if refused is not None and refused.last_at > delivered_at else None
        stray = stray if stray is not None and stray.last_at > delivered_at else None
    if refused is not None:
        _refused_signature(exam, refused, delivered_at)
        return
    if stray is not None:
        evidence = _(
            "None for this account. %(count)s for accounts not connected here, last on %(when)s.",
            count=stray.count,
            when=format_datetime(stray.last_at),
        )
        fix = _("If Meta's dashboard shows errors, compare the App Secret there with the one entered here.")
        link = dashboard.basic(exam.row.app_id)
        exam.note(Verdict.UNKNOWN, evidence, fix, seen_at=stray.last_at, link=link)
        return
    if delivered_at is None:
        exam.note(Verdict.UNKNOWN, _("No deliveries to check yet."))
        return
    evidence = _("The last delivery, on %(when)s, had a valid signature.", when=format_datetime(delivered_at))
    verdict = Verdict.UNKNOWN if is_old(delivered_at) else Verdict.PASS
    exam.note(verdict, evidence, seen_at=delivered_at)


def _refused_signature(exam: Examination, refused: Refusals, delivered_at: datetime | None) -> None:
    """Report refused deliveries of the account that no valid one followed."""
    evidence = _(
        "%(count)s for %(handle)s rejected since yesterday, first on %(since)s, last on %(when)s.",
        count=refused.count,
        handle=exam.account.handle,
        since=format_date(datetime.combine(refused.since, time(12), UTC)),
        when=format_datetime(refused.last_at),
    )
    stored = _(
        "The stored secret is from %(date)s and has %(length)s characters. Meta's secrets have %(right)s.",
        date=format_date(exam.row.app_secret_set_at),
        length=len(exam.found.app_secret.reveal()),
        right=SECRET_LENGTH,
    )
    link = dashboard.basic(exam.row.app_id)
    held = _secret_holds(exam)
    if held:
        told = _("Meta accepts the stored secret, so these came from someone else or from another Meta app.")
        fix = _("If nothing arrives, point the webhook of the app %(app)s to this desk.", app=exam.row.app_id)
        verdict = Verdict.WARN if delivered_at is None else Verdict.UNKNOWN
        link = dashboard.webhooks(exam.row.app_id)
        exam.note(verdict, f"{evidence} {told}", fix, seen_at=refused.last_at, link=link)
        return
    evidence = f"{evidence} {stored}"
    if held is None and delivered_at is not None:
        # A stranger could have sent them. If it was Meta with another secret, no valid ones will follow.
        before = _("Earlier ones had valid signatures, last on %(when)s.", when=format_datetime(delivered_at))
        long = refused.last_at - delivered_at > WITHOUT_A_RIGHT_ONE
        verdict = Verdict.WARN if long else Verdict.UNKNOWN
        evidence = f"{evidence} {before}"
        exam.note(verdict, evidence, _which_secret(exam), seen_at=refused.last_at, link=link)
        return
    # Anyone could have sent them, so the check only fails if Meta itself rejects the secret.
    verdict = Verdict.FAIL if held is False else Verdict.WARN
    exam.note(verdict, evidence, _which_secret(exam), seen_at=refused.last_at, link=link)


def _secret_holds(exam: Examination) -> bool | None:
    """Ask Meta whether the stored secret belongs to the token's app; None if it cannot be asked.

    Meta documents no check of the proof for Instagram Login.
    """
    if exam.found.flavour is Flavour.LOGIN:
        return None
    try:
        exam.found.graph().me()
    except GraphError as error:
        if error.code is None or classify(error).outcome is Outcome.RECONNECT:
            return None
        return False
    return True


def _which_secret(exam: Examination) -> str:
    """Return which secret to copy again, and from where."""
    if exam.found.flavour is Flavour.LOGIN:
        copy = _(
            "In the Meta app %(app)s, copy the Instagram App Secret again from Instagram, API setup with "
            "Instagram login.",
            app=exam.row.app_id,
        )
    else:
        copy = _(
            "In the Meta app %(app)s, copy the App Secret again from Settings, Basic.", app=exam.row.app_id
        )
    if exam.way == "pasted":
        to = _("Enter it in this account's settings.")
    elif _own_app(exam) is not None:
        to = _("Enter it under Settings, Channels, Your own Meta app.")
    else:
        name = "FACEBOOK" if exam.found.flavour is Flavour.PAGE else "INSTAGRAM"
        setting = f"LOBBY_ADDON_INSTAGRAM_{name}_APP_SECRET"
        to = _("Ask your admin to set it as %(setting)s.", setting=setting)
    return f"{copy} {to}"


def self_test(exam: Examination) -> None:
    """Send a signed test event over the network to the address Meta uses."""
    event = {
        "sender": {"id": "12334"},
        "recipient": {"id": "23245"},
        "timestamp": str(int(clock.now().timestamp())),
        "message": {"mid": f"self-test-{secrets.token_hex(8)}", "text": "self-test"},
    }
    entry = {"id": "0", "time": int(clock.now().timestamp() * 1000), "messaging": [event]}
    body = json.dumps({"object": "instagram", "entry": [entry]}, separators=(",", ":")).encode()
    signed = hmac.digest(exam.found.app_secret.reveal().encode(), body, "sha256").hex()
    answer = deliveries.post_to_self(
        f"/addons/{config.SLUG}/{config.WEBHOOK_PATH}/{exam.account.uuid}",
        body,
        {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signed}"},
    )
    if answer is None:
        evidence = _("This desk can't reach its own public address. Some networks don't allow it.")
        exam.note(Verdict.UNKNOWN, evidence)
        return
    status, words = answer
    fine = status == 200 and words == "EVENT_RECEIVED"
    fix = _("Check the proxy in front of Lobby. It must pass the request body on unchanged.")
    exam.note(
        Verdict.PASS if fine else Verdict.FAIL,
        _("Returned %(status)s.", status=status),
        fix,
    )
