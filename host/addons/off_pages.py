"""Pages at the addresses of a disabled feature: who turned it off, when, what is kept, where customers went.

The feature's own blueprints don't exist while it is disabled. Its addresses are looked up here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from flask import Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, NotFound

from host.addons import switching
from host.addons.views import bp
from host.channels import feature_requests
from host.core import db
from host.core.errors import FeatureOffError, NotFoundError
from host.features import registry
from host.features.feature import Switch
from host.features.while_off import WhileOff
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.notifications.notify import CUSTOMER
from host.sdk.i18n import noop
from host.users import desk_settings
from host.users.reach import Accounts
from host.web.languages import gettext as _
from host.web.languages import moment
from host.web.request_helpers import (
    Permission,
    config,
    current_user,
    flash_good,
    in_archive_too,
    safe_next,
    seen_accounts,
    wants_json,
    workspace_view,
)

SHOWN = 20
"""How many conversations, and how many kept things, are named."""
ASKED = feature_requests.Words(
    noop("%(who)s would like this feature turned on again, for %(workspace)s."),
    noop("You can turn it on on the Addons page."),
    noop("%(who)s sent a reminder: %(workspace)s would like this feature turned on again."),
)


class WentTo(msgspec.Struct, frozen=True):
    """Conversations that a disabled feature left to people.

    :param number: of all of them; *shown*: the id and customer of the newest.
    """

    number: int
    shown: Sequence[tuple[int, str]]


@cache
def _addresses(off: frozenset[str], of: Flask) -> Flask:
    """Return an app with only the pages of the features *off*, to look addresses up in."""
    app = Flask("off")
    app.url_map.converters.update(of.url_map.converters)
    for feature in registry.features():
        if feature.name in off:
            list(registry.parts("views", [feature]))
            for blueprint in registry.parts("blueprints", [feature]):
                app.register_blueprint(blueprint)
    return app


@bp.before_app_request
def say_off() -> ResponseReturnValue | None:
    """Answer requests for pages of disabled features."""
    off = registry.switched_off()
    if not off or not isinstance(request.routing_exception, NotFound):
        return None
    app = _addresses(off, cast(Any, current_app)._get_current_object())
    try:
        endpoint, places = app.url_map.bind("").match(request.path, request.method)
    except HTTPException:
        return None
    view = app.view_functions[endpoint]
    name = next(one.name for one in registry.disabled() if view.__module__.startswith(f"{one.package}."))
    if "workspace_id" not in places:
        current_user()
        raise _error(name)
    needs: Permission | None = getattr(view, "lobby_needs", None)
    return in_archive_too(workspace_view(needs)(_answer))(places["workspace_id"], name)


def _answer(workspace_id: int, name: str) -> ResponseReturnValue:
    if wants_json():
        raise _error(name)
    return _page(workspace_id, name), FeatureOffError.status


def _error(name: str) -> FeatureOffError:
    with db.read() as session:
        switched = switching.switched_off(session, name)
    return FeatureOffError(
        _("%(told)s Nothing was changed.", told=_told(registry.optional()[name], switched)),
        next_step=_("You can turn it on on the Addons page.") if current_user().is_admin else None,
    )


def _told(switch: Switch, switched: switching.SwitchedOff | None) -> str:
    """Return who turned a feature off, and when."""
    title = _(switch.title)
    if switched is None:
        return str(_("%(name)s: turned off on this Lobby server.", name=title))
    at = moment(switched.at)
    if switched.who is None:
        return str(_("%(name)s: turned off on %(at)s.", name=title, at=at))
    return str(_("%(who)s turned off %(name)s on %(at)s.", name=title, who=switched.who, at=at))


@bp.get("/w/<int:workspace_id>/features/<name>")
@workspace_view(Permission.TEAMS)
def feature(workspace_id: int, name: str) -> ResponseReturnValue:
    """Show what a disabled feature keeps; go to the inbox if it is on."""
    if name not in registry.optional():
        raise NotFoundError()
    if registry.is_on(name):
        flash_good(_("%(name)s is on.", name=_(registry.optional()[name].title)))
        return redirect(url_for("inbox.index", workspace_id=workspace_id))
    return _page(workspace_id, name)


@bp.post("/w/<int:workspace_id>/features/<name>/ask")
@workspace_view(Permission.ANSWER)
def ask_for_feature(workspace_id: int, name: str) -> ResponseReturnValue:
    """Ask every admin to turn a feature on, or remind them."""
    switch = registry.optional().get(name)
    if switch is None or registry.is_on(name):
        raise NotFoundError()
    who = current_user().id
    where: dict[str, Any] = {"words": ASKED, "anchor": f"#feature-{name}"}
    if db.write(feature_requests.ask, workspace_id, who, name, switch.title, **where):
        flash_good(_("The admins are notified, also by email if a mail server is set up."))
    else:
        flash_good(_("The admins have already been asked."))
    return redirect(safe_next(request.form.get("back", "")))


def _page(workspace_id: int, name: str) -> str:
    switch = registry.optional()[name]
    accounts = seen_accounts()
    with db.read() as session:
        switched = switching.switched_off(session, name)
        found: WhileOff | None = registry.hooks().while_off(
            session=session,
            name=name,
            workspace_id=workspace_id,
            since=None if switched is None else switched.at,
        )
        found = found or WhileOff()
        asked = feature_requests.asked(session, workspace_id, ASKED).get(name)
        went = _went(session, workspace_id, found.conversations, accounts)
    by_page = request.url_rule is not None or request.method in {"GET", "HEAD"}
    return render_template(
        "addons/off.html",
        name=name,
        texts=switch,
        told=_told(switch, switched),
        kept=found.kept[:SHOWN],
        more=max(0, len(found.kept) - SHOWN),
        went=went,
        asked=None if asked is None or asked.may_remind else asked,
        given=desk_settings.FEATURES_OFF in config().given,
        lost=not by_page,
        back=request.path if by_page else url_for("inbox.index", workspace_id=workspace_id),
    )


def _went(session: Session, workspace_id: int, ids: Collection[int], accounts: Accounts) -> WentTo:
    """Return which of the conversations *ids* the reader may see, with their customers."""
    seen = [Conversation.workspace_id == workspace_id, Conversation.id.in_(ids)]
    if accounts is not None:
        seen.append(Conversation.account_id.in_(accounts))
    number = session.scalar(sa.select(sa.func.count()).where(*seen)) or 0
    query = (
        sa.select(Conversation.id, CUSTOMER)
        .outerjoin(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .outerjoin(Contact, Contact.id == Conversation.contact_id)
        .where(*seen)
        .order_by(Conversation.id.desc())
        .limit(SHOWN)
    )
    return WentTo(number, [(id_, name) for id_, name in session.execute(query)])
