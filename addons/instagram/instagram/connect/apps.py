"""The Meta app in use: the workspace's own, or else the installation's.

If Meta restricts an app, every account connected through it stops working. A workspace with its own app is
not affected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts as host_accounts
from host.sdk import clock, db
from host.sdk.cards import CardStatus, Copyable, Field, Problems, WorkspaceSettings
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Place, Secret, fingerprint, seal, unseal

from .. import config, dashboard
from ..accounts import app_place, own_app, place
from ..answers import Bought
from ..config import Flavour, MetaApp
from ..graph import Graph, GraphError
from ..models import InstagramAccount, WorkspaceApp
from .fields import APP, clean_id, clean_secret


def app_of(flavour: Flavour, workspace_id: int) -> MetaApp | None:
    """Return the app that people of a workspace sign in to, or None if there is none.

    :raises SecretUnreadableError: if the secret of the workspace's own app cannot be decrypted.
    """
    with db.read() as session:
        own = own_app(session, workspace_id, flavour)
    if own is None:
        return config.app_of(flavour)
    return MetaApp(own.app_id, unseal(own.app_secret, app_place(own)))


_NAMES = {
    Flavour.PAGE: ("facebook_app_id", "facebook_app_secret"),
    Flavour.LOGIN: ("instagram_app_id", "instagram_app_secret"),
}
FIELDS = (
    Field(
        "facebook_app_id",
        lazy_gettext("Meta App ID"),
        link=dashboard.apps(),
        help=lazy_gettext("For Connect with Facebook. Find it in the Meta app under Settings, Basic."),
        required=False,
        clean=partial(clean_id, example=APP),
    ),
    Field(
        "facebook_app_secret",
        lazy_gettext("App Secret"),
        help=lazy_gettext("Next to the ID."),
        required=False,
        secret=True,
        clean=clean_secret,
    ),
    Field(
        "instagram_app_id",
        lazy_gettext("Instagram App ID"),
        link=dashboard.apps(),
        help=lazy_gettext("For Connect Instagram. Find it under Instagram, API setup with Instagram login."),
        required=False,
        clean=partial(clean_id, example=APP),
    ),
    Field(
        "instagram_app_secret",
        lazy_gettext("Instagram App Secret"),
        help=lazy_gettext("Next to the ID."),
        required=False,
        secret=True,
        clean=clean_secret,
    ),
)


def read(workspace_id: int) -> CardStatus:
    """Return a workspace's settings, and the addresses to enter in its app."""
    values, stored = {}, {}
    notices: list[tuple[str, str, str]] = []
    for flavour, (id_name, secret_name) in _NAMES.items():
        with db.read() as session:
            own = own_app(session, workspace_id, flavour)
        if own is None:
            continue
        values[id_name] = own.app_id
        try:
            unseal(own.app_secret, app_place(own))
            stored[secret_name] = _("set on %(date)s", date=format_date(own.app_secret_set_at))
        except SecretUnreadableError:
            sentence = _("Its encryption key is missing. Enter the secret again.")
            notices.append(("bad", _("A stored App Secret can't be read."), sentence))
    login = _("Add it to the Meta app's login settings as a valid redirect URL.")
    advanced = _("Add it to the Meta app's login settings.")
    copyables = [
        Copyable(_("Redirect URL for Connect with Facebook"), config.return_url("facebook"), login),
        Copyable(_("Redirect URL for Connect Instagram"), config.return_url("instagram"), login),
        Copyable(_("Deauthorize callback URL"), config.callback_url("deauthorize"), advanced),
        Copyable(_("Data deletion request URL"), config.callback_url("deletion"), advanced),
    ]
    if values:
        where = _("In the Meta app, under Webhooks, Instagram, enter it as the Callback URL.")
        beside = _("Enter it next to the URL, then subscribe to the fields.")
        copyables += [
            Copyable(_("Webhook URL"), config.webhook_url(), where),
            Copyable(_("Verify Token"), config.verify_token(workspace_id), beside),
        ]
    return CardStatus(values=values, stored_secrets=stored, notices=notices, copyables=copyables)


def save(workspace_id: int, values: Mapping[str, str]) -> str | Problems:
    """Check ids and secrets with Meta if possible, and store them; an empty id removes an app."""
    wanted: dict[Flavour, MetaApp | None] = {}
    problems: dict[str, str] = {}
    for flavour, (id_name, secret_name) in _NAMES.items():
        app_id, typed = values.get(id_name, ""), values.get(secret_name, "")
        if not app_id:
            wanted[flavour] = None
            if typed:
                problems[id_name] = _("Enter the ID that belongs to the secret.")
            continue
        secret = Secret(typed) if typed else _stored(workspace_id, flavour, app_id)
        if secret is None:
            problems[secret_name] = _("Enter this app's secret.")
            continue
        wanted[flavour] = MetaApp(app_id, secret)
        if flavour is Flavour.PAGE and typed:
            problems |= _check(wanted[flavour], id_name, secret_name)
    if problems:
        return Problems(problems)
    db.write(_write, workspace_id, wanted)
    if not any(wanted.values()):
        return str(_("Saved. This workspace now uses the desk's Meta app."))
    return str(
        _("Saved. Accounts that sign in from now on use this app. Reconnect the others to switch them to it.")
    )


def _stored(workspace_id: int, flavour: Flavour, app_id: str) -> Secret | None:
    with db.read() as session:
        own = own_app(session, workspace_id, flavour)
    if own is None or own.app_id != app_id:
        return None
    try:
        found: Secret = unseal(own.app_secret, app_place(own))
    except SecretUnreadableError:
        return None
    return found


def _check(app: MetaApp | None, id_name: str, secret_name: str) -> dict[str, str]:
    """Request the app's token, which requires a valid id and secret; return the problems by field.

    Meta documents no such call for an Instagram app; there, a wrong secret fails at the first sign-in.
    """
    if app is None:
        return {}
    query = {
        "client_id": app.id,
        "client_secret": app.secret.reveal(),
        "grant_type": "client_credentials",
    }
    try:
        url = f"{config.graph_url(Flavour.PAGE)}/oauth/access_token"
        Graph(Flavour.PAGE, app.secret, app.secret).exchange(url, Bought, params=query)
    except GraphError as error:
        if error.code is None:
            told = _("Nothing was saved because Meta couldn't be reached. %(words)s", words=error.quote)
            return {"": told}
        if "secret" in error.words.lower():
            told = _("This secret doesn't belong to that app. Copy it again.")
            return {secret_name: told}
        return {id_name: _("Meta responded: %(words)s", words=error.quote)}
    return {}


def _write(session: Session, workspace_id: int, wanted: Mapping[Flavour, MetaApp | None]) -> None:
    for flavour, app in wanted.items():
        own = own_app(session, workspace_id, flavour)
        if app is None:
            if own is not None:
                session.delete(own)
            continue
        if own is None:
            own = WorkspaceApp(uuid=str(uuid4()), workspace_id=workspace_id, flavour=flavour)
            session.add(own)
        before = own.app_secret
        own.app_id = app.id
        if not before or unseal_or_none(before, app_place(own)) != app.secret:
            own.app_secret = seal(app.secret, app_place(own))
            own.app_secret_set_at = clock.now()
            _hand_on(session, own, app.secret)
    session.flush()
    host_accounts.changed(session)


def unseal_or_none(sealed: str, where: Place) -> Secret | None:
    """Return the decrypted value, or None if it cannot be decrypted."""
    try:
        found: Secret = unseal(sealed, where)
    except SecretUnreadableError:
        return None
    return found


def _hand_on(session: Session, own: WorkspaceApp, secret: Secret) -> None:
    """Give an app's new secret to the accounts already connected through it."""
    rows = session.scalars(
        sa.select(InstagramAccount).where(
            InstagramAccount.workspace_id == own.workspace_id,
            InstagramAccount.app_id == own.app_id,
            InstagramAccount.flavour == own.flavour,
        )
    )
    for row in rows:
        row.app_secret = seal(secret, place(row, "app_secret"))
        row.secret_fingerprint = fingerprint(secret)
        row.app_secret_set_at = clock.now()


PAGE = WorkspaceSettings(
    label=lazy_gettext("Your own Meta app"),
    fields=FIELDS,
    read=read,
    save=save,
    help=lazy_gettext(
        "This workspace signs in through this app instead of the desk's. Restrictions Meta places on one "
        "app don't affect accounts of another."
    ),
)
