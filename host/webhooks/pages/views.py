"""Settings -> Integrations: endpoints of other programs, and the log of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.events.bodies import samples
from host.events.bodies.choosing import EVERYTHING, hears
from host.events.bodies.samples import Kind
from host.inbox.labels import labels
from host.live.following import follows
from host.models.inbox import Contact
from host.users.pages import sudo
from host.users.roles import Permission
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    config,
    flash_bad,
    flash_good,
    id_argument,
    id_in,
    shown_workspace,
    workspace_view,
    write,
)
from host.webhooks import consumer, endpoints, log, policy
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.log import DeliveryFilter, LoggedDelivery
from host.webhooks.models import Endpoint, EndpointState
from host.webhooks.pages import words

bp = Blueprint("integrations", __name__, template_folder="../templates")


def _mark() -> navigation.Mark | None:
    workspace = shown_workspace()
    if workspace is None:
        return None
    with db.read() as reading:
        number = endpoints.in_need(reading, workspace.id)
    if not number:
        return None
    return navigation.Mark(
        number, "bad", ngettext("%(num)s endpoint is failing", "%(num)s endpoints are failing", number)
    )


navigation.add_settings(
    "integrations.index",
    _l("Webhooks"),
    order=38,
    section=navigation.INTEGRATIONS,
    icon="hook",
    mark=_mark,
    words="endpoints, events, Zapier, connect programs, Endpunkte, Ereignisse, Programme anbinden",
)

GROUPS = {
    "message": _l("Messages"),
    "conversation": _l("Conversations"),
    "note": _l("Notes"),
    "label": _l("Labels"),
    "team": _l("Teams"),
    "contact": _l("Customers"),
    "rule": _l("Rules"),
    "sequence": _l("Sequences"),
    "account": _l("Accounts"),
    "assistant": _l("Assistants"),
}
SINCE = {"1": _l("the last hour"), "24": _l("the last day"), "168": _l("the last week"), "720": _l("30 days")}
"""Periods that can be replayed, by their hours."""


@bp.get("/w/<int:workspace_id>/settings/integrations")
@workspace_view(Permission.KEYS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the endpoints, starting with those that need attention."""
    with db.read() as session:
        rows = endpoints.listing(session, workspace_id)
        standings = log.standings(session, [row.id for row in rows])
    shown = [(row, standings[row.id], words.of_endpoint(row, standings[row.id])) for row in rows]
    order = {"bad": 0, "good": 1, "idle": 2}
    return render_template(
        "webhooks/index.html",
        shown=sorted(shown, key=lambda one: order.get(one[2].tone, 1)),
        off_at=lambda row: row.failing_since + policy.OFF_AFTER,
        address=config().public_url + "/api/v1",
    )


@bp.route("/w/<int:workspace_id>/settings/integrations/new", methods=["GET", "POST"])
@workspace_view(Permission.KEYS)
def new(workspace_id: int) -> ResponseReturnValue:
    """Add an endpoint. Customers' messages will be sent there, so the password is required."""
    if request.method == "GET":
        sudo.require()
        return _form(workspace_id, EndpointSettings("", ["message.received"]))
    wanted = _wanted()
    if account_picker.is_looking():
        return _form(workspace_id, wanted)
    sudo.require()
    try:
        row, secret = write(endpoints.create, wanted, _known())
    except LobbyError as error:
        return _form(workspace_id, wanted, problem=error)
    return _page(workspace_id, row.id, secret=secret.reveal())


@bp.route("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/edit", methods=["GET", "POST"])
@workspace_view(Permission.KEYS)
def edit(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Change the address and subscriptions of an endpoint."""
    with db.read() as session:
        row = endpoints.get(session, workspace_id, endpoint_id)
    if request.method == "GET":
        sudo.require()
        return _form(workspace_id, endpoints.settings_of(row), row)
    wanted = _wanted()
    if account_picker.is_looking():
        return _form(workspace_id, wanted, row)
    if wanted.url.strip() != row.url:
        sudo.require()
    try:
        write(endpoints.change, endpoint_id, msgspec.structs.asdict(wanted), _known())
    except LobbyError as error:
        return _form(workspace_id, wanted, row, problem=error)
    flash_good(_("Saved."))
    return _to(workspace_id, endpoint_id)


def _known() -> set[str]:
    return {kind.name for kind in _kinds()}


def _kinds() -> Sequence[Kind]:
    return samples.everything(current_directory().adapters)


def _wanted() -> EndpointSettings:
    """Return the settings in the form, without event names already covered by a chosen group or by ``*``."""
    chosen = request.form.getlist("events")
    groups = {name for name in chosen if name.endswith(".*")}
    if EVERYTHING in chosen:
        chosen = [EVERYTHING]
    names = [one for one in chosen if one in groups or f"{one.partition('.')[0]}.*" not in groups]
    return EndpointSettings(
        request.form.get("url", ""),
        names,
        account_picker.chosen_ids("accounts"),
        "both" in request.form,
        "ordered" in request.form,
        account_picker.chosen_ids("labels"),
    )


def _form(
    workspace_id: int,
    wanted: EndpointSettings,
    row: Endpoint | None = None,
    *,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    groups: dict[str, list[Kind]] = {}
    for kind in _kinds():
        groups.setdefault(kind.group, []).append(kind)
    with db.read() as session:
        accounts = account_picker.picker(session, workspace_id, wanted.accounts)
        all_labels = account_picker.named(labels.all_of(session, workspace_id))
    url = url_for("labels.choices", workspace_id=workspace_id)

    page = render_template(
        "webhooks/form.html",
        row=row,
        wanted=wanted,
        problem=problem,
        groups=groups,
        group_label=lambda key: GROUPS.get(key) or current_directory().label(key),
        chosen=lambda name: hears(wanted.events, name),
        sample=_pretty,
        accounts=accounts,
        labels=account_picker.pick("label", all_labels, wanted.labels, url),
    )
    return page, 200 if problem is None else problem.status


def _pretty(kind: Kind) -> str:
    return json.dumps({"event": kind.name, "data": kind.sample}, indent=2, ensure_ascii=False)


@bp.get("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>")
@workspace_view(Permission.KEYS)
@follows
def endpoint(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Show the state of an endpoint and its delivery log."""
    return _page(workspace_id, endpoint_id)


def _page(workspace_id: int, endpoint_id: int, *, secret: str = "") -> ResponseReturnValue:
    which = (
        DeliveryFilter(request.args["which"])
        if request.args.get("which") in set(DeliveryFilter)
        else DeliveryFilter.ALL
    )
    before, opened_id = id_argument("before"), id_argument("delivery")
    with db.read() as session:
        row = endpoints.get(session, workspace_id, endpoint_id)
        standing = log.standings(session, [endpoint_id])[endpoint_id]
        lines, earlier = log.page(session, endpoint_id, which, before=before)
        shown = opened_id or (lines[0].id if lines else None)
        opened = None if shown is None else log.one(session, endpoint_id, shown)
        failed = len(log.failed(session, endpoint_id, 1000))
        everyone = [*lines, *([] if opened is None else [opened[0]])]
        names = _names(session, everyone)
    return render_template(
        "webhooks/endpoint.html",
        row=row,
        host=urlsplit(row.url).hostname or row.url,
        secret=secret,
        standing=standing,
        saying=words.of_endpoint(row, standing),
        off_at=None if row.failing_since is None else row.failing_since + policy.OFF_AFTER,
        which=which,
        lines=lines,
        earlier=earlier,
        opened=None if opened is None else opened[0],
        verdict=None if opened is None else words.of_delivery(opened[0]),
        body="" if opened is None else json.dumps(json.loads(opened[1]), indent=2, ensure_ascii=False),
        path=urlsplit(row.url).path or "/",
        is_chosen=opened_id is not None,
        failed=failed,
        names=names,
        tries=policy.TRIES,
        since=SINCE,
        signs_with_old=row.old_until is not None and clock.now() < row.old_until,
    )


def _names(session: Session, lines: Sequence[LoggedDelivery]) -> dict[int, str]:
    """Return the name of each delivery's customer, if known."""
    ids = {line.contact_id for line in lines if line.contact_id is not None}
    found = {
        row.id: row.name
        for row in session.execute(sa.select(Contact.id, Contact.name).where(Contact.id.in_(ids)))
    }
    return {line.id: found.get(line.contact_id or 0) or "" for line in lines}


def _to(workspace_id: int, endpoint_id: int, delivery: str | None = None) -> ResponseReturnValue:
    return redirect(
        url_for(
            "integrations.endpoint", workspace_id=workspace_id, endpoint_id=endpoint_id, delivery=delivery
        )
    )


@bp.post("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/rotate")
@workspace_view(Permission.KEYS)
@sudo.fresh_password
def rotate(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Create a new secret for an endpoint; it is shown once, on the resulting page."""
    _row, secret = write(endpoints.rotate, endpoint_id)
    return _page(workspace_id, endpoint_id, secret=secret.reveal())


@bp.post("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/state")
@workspace_view(Permission.KEYS)
def state(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Pause or resume an endpoint."""
    row = write(endpoints.resume if request.form.get("on") == "1" else endpoints.pause, endpoint_id)
    flash_good(
        _("The endpoint was resumed.") if row.state == EndpointState.ACTIVE else _("The endpoint was paused.")
    )
    return _to(workspace_id, endpoint_id)


@bp.post("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/delete")
@workspace_view(Permission.KEYS)
def delete(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Delete an endpoint, with its log."""
    write(endpoints.delete, endpoint_id)
    flash_good(_("The endpoint was deleted."))
    return redirect(url_for("integrations.index", workspace_id=workspace_id))


@bp.post("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/test")
@workspace_view(Permission.KEYS)
def test(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Send a test."""
    write(consumer.send_test, endpoint_id)
    flash_good(_("Test event queued. Reload the page to see the result."))
    return _to(workspace_id, endpoint_id)


@bp.post("/w/<int:workspace_id>/settings/integrations/<int:endpoint_id>/replay")
@workspace_view(Permission.KEYS)
def replay(workspace_id: int, endpoint_id: int) -> ResponseReturnValue:
    """Replay one delivery, all failed ones, or everything of a period."""
    chosen, hours = request.form.get("delivery", ""), request.form.get("hours", "")
    following = None
    if hours in SINCE:
        since = clock.now() - timedelta(hours=int(hours))
        count, following = consumer.replay_since(
            workspace_id, endpoint_id, since, current_directory(), config().public_url
        )
    else:
        count = write(consumer.replay, endpoint_id, [id_in(chosen, "delivery")] if chosen else None)
    if following is not None:
        flash_good(
            _(
                "Replaying %(count)s events. There are more since %(time)s. Replay again to send them.",
                count=count,
                time=following.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )
        )
    elif count:
        flash_good(_("Replaying %(count)s events.", count=count))
    else:
        flash_bad(_("There are no events to replay."))
    return _to(workspace_id, endpoint_id, chosen or None)
