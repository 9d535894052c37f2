"""Checks of what comes in: whether Meta asked, whether it delivers, whether it signs with the secret we hold.

Nothing here quotes a credential: of a secret only its length and the day it was entered are told, of a verify
token how it begins.
"""

from __future__ import annotations

import hmac
import json
import secrets
from datetime import UTC, datetime, time, timedelta

from host.sdk import clock, db, deliveries
from host.sdk.cards import Verdict
from host.sdk.i18n import format_date, format_datetime
from host.sdk.i18n import gettext as _
from host.sdk.secrets import unseal

from . import config
from .accounts import own_app, place
from .config import Flavour
from .look import Look
from .models import WorkspaceApp
from .webhook import SHOWN

JUST_CONNECTED = timedelta(minutes=10)
SECRET_LENGTH = 32


def webhook(look: Look) -> None:
    """What has come in, and what was refused: the verify token and the signature."""
    if look.seen.last_event_at is not None and look.seen.last_event_at >= look.seen.connected_at:
        when = format_datetime(look.seen.last_event_at)
        look.note(Verdict.PASS, _("The last event came on %(when)s.", when=when))
    elif clock.now() - look.seen.connected_at < JUST_CONNECTED:
        look.note(
            Verdict.UNKNOWN,
            _("The account was connected less than ten minutes ago."),
            _("Write to %(handle)s from another account.", handle=look.account.handle),
        )
    else:
        look.note(
            Verdict.FAIL if not config.webhook_url().startswith("https://") else Verdict.UNKNOWN,
            _("Nothing has arrived since it was connected. The address is %(url)s", url=config.webhook_url()),
            _(
                "In the Meta app, under Webhooks, Instagram: this address, the verify token beside it, and "
                "the field messages ticked."
            ),
        )


def verification(look: Look) -> None:
    """What Meta was told when it asked whether the address is ours; its dashboard is red until it is yes."""
    wrong = [
        one
        for one in (
            look.seen.refused.get("verify_token"),
            look.seen.refused_of_nobody.get("verify_token"),
        )
        if one is not None
    ]
    latest = max(wrong, key=lambda one: one.last_at, default=None)
    times = (look.seen.verified_at, look.seen.shared_verified_at)
    verified_at = max((at for at in times if at is not None), default=None)
    if latest is not None and (verified_at is None or latest.last_at > verified_at):
        ours = _verify_token(look)[:SHOWN]
        evidence = _(
            "On %(when)s somebody asked with a token that begins with “%(theirs)s”; it has to be one that "
            "begins with “%(ours)s”.",
            when=format_datetime(latest.last_at),
            theirs=latest.hint or _("nothing"),
            ours=ours,
        )
        fix = _("Copy the verify token from %(place)s into the Meta app once more.", place=_token_place(look))
        # Asked at the shared address, it may have been for another account, or by a stranger.
        mine = "verify_token" in look.seen.refused
        look.note(Verdict.FAIL if mine or not look.seen.last_event_at else Verdict.UNKNOWN, evidence, fix)
    elif verified_at is not None:
        look.note(Verdict.PASS, _("Verified on %(when)s.", when=format_datetime(verified_at)))
    elif look.seen.last_event_at is not None:
        look.note(Verdict.PASS, _("Signed deliveries arrive, so it was verified once."))
    else:
        look.note(
            Verdict.UNKNOWN,
            _("Meta has never asked whether the address is ours."),
            _(
                "In the Meta app, under Webhooks, Instagram, enter %(url)s and the verify token beside it.",
                url=config.webhook_url(),
            ),
        )


def _own_app(look: Look) -> WorkspaceApp | None:
    """Return the workspace's own Meta app, if the account is connected through it."""
    with db.read() as session:
        own = own_app(session, look.account.workspace_id, look.found.flavour)
    return own if own is not None and own.app_id == look.row.app_id else None


def _verify_token(look: Look) -> str:
    if look.way == "pasted":
        return str(unseal(look.row.verify_token, place(look.row, "verify_token")).reveal())
    return config.verify_token(None if _own_app(look) is None else look.account.workspace_id)


def _token_place(look: Look) -> str:
    if look.way == "pasted":
        return str(_("the account's card"))
    return str(_("the addon's Settings page") if _own_app(look) is None else _("Channels, Own Meta app"))


def signature(look: Look) -> None:
    """A wrong App Secret shows as deliveries nobody can believe."""
    refused = look.seen.refused.get("signature")
    stray = look.seen.refused_of_nobody.get("signature")
    if refused is None and stray is not None:
        evidence = _(
            "None for this account; %(count)s that named no account of this desk, last on %(when)s.",
            count=stray.count,
            when=format_datetime(stray.last_at),
        )
        fix = _("If Meta's dashboard shows errors, compare the App Secret there with the one entered here.")
        look.note(Verdict.UNKNOWN, evidence, fix)
        return
    if refused is None:
        look.note(Verdict.PASS, _("None was refused since yesterday."))
        return
    evidence = _(
        "%(count)s for %(handle)s refused since yesterday, the first on %(since)s, last on %(when)s. The "
        "secret stored here is from %(date)s and has %(length)s characters; Meta's have %(right)s.",
        count=refused.count,
        handle=look.account.handle,
        since=format_date(datetime.combine(refused.since, time(12), UTC)),
        when=format_datetime(refused.last_at),
        date=format_date(look.row.app_secret_set_at),
        length=len(look.found.app_secret.reveal()),
        right=SECRET_LENGTH,
    )
    look.note(Verdict.FAIL, evidence, _which_secret(look))


def _which_secret(look: Look) -> str:
    """Say which secret to copy again, from where and to where."""
    if look.found.flavour is Flavour.LOGIN:
        copy = _(
            "Copy the Instagram App Secret of the app %(app)s again, from Instagram, API setup with "
            "Instagram login.",
            app=look.row.app_id,
        )
    else:
        copy = _("Copy the App Secret of the app %(app)s again, from Settings, Basic.", app=look.row.app_id)
    if look.way == "pasted":
        to = _("Enter it on this account's card, under Edit.")
    elif _own_app(look) is not None:
        to = _("Enter it under Settings, Channels, Own Meta app.")
    else:
        name = "FACEBOOK" if look.found.flavour is Flavour.PAGE else "INSTAGRAM"
        setting = f"LOBBY_ADDON_INSTAGRAM_{name}_APP_SECRET"
        to = _("Ask your admin to set it as %(setting)s.", setting=setting)
    return f"{copy} {to}"


def self_test(look: Look) -> None:
    """A signed test event of our own, over the network, through the very route Meta uses."""
    event = {
        "sender": {"id": "12334"},
        "recipient": {"id": "23245"},
        "timestamp": str(int(clock.now().timestamp())),
        "message": {"mid": f"self-test-{secrets.token_hex(8)}", "text": "self-test"},
    }
    entry = {"id": "0", "time": int(clock.now().timestamp() * 1000), "messaging": [event]}
    body = json.dumps({"object": "instagram", "entry": [entry]}, separators=(",", ":")).encode()
    signed = hmac.digest(look.found.app_secret.reveal().encode(), body, "sha256").hex()
    answer = deliveries.post_to_self(
        f"/addons/{config.SLUG}/{config.WEBHOOK_PATH}/{look.account.uuid}",
        body,
        {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signed}"},
    )
    if answer is None:
        evidence = _("This desk cannot reach itself by its public address, which some networks do not allow.")
        look.note(Verdict.UNKNOWN, evidence)
        return
    status, words = answer
    fine = status == 200 and words == "EVENT_RECEIVED"
    fix = _("Look at what stands in front of Lobby: it must pass the body on unchanged.")
    look.note(
        Verdict.PASS if fine else Verdict.FAIL,
        _("Answered with %(status)s.", status=status),
        fix,
    )
