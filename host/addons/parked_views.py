"""The admin's page of events that the listeners of an addon could not handle: retry or skip them."""

from __future__ import annotations

import sqlalchemy as sa
from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from host.addons import lifecycle, listing
from host.addons.lifecycle import Card
from host.addons.running import parked_events
from host.addons.views import bp
from host.core import db
from host.core.errors import NotFoundError
from host.live.events import newest_id
from host.models.users import Membership, Workspace
from host.web.languages import gettext as _
from host.web.request_helpers import admin_required, config, current_user, flash_bad, flash_good, write_desk

MOST = 100
"""Most events shown. The others follow once these are gone."""


@bp.get("/admin/addons/<slug>/parked")
@admin_required
def parked(slug: str) -> ResponseReturnValue:
    """Show the events that the addon's listeners could not handle, and how many wait behind each."""
    card = _known(slug)
    with db.read() as session:
        after = newest_id(session)
        found = parked_events.queues(session, slug, MOST)
        counts = [one for one in parked_events.counts(session) if one.slug == slug]
        ids = {one.workspace_id for one in found}
        named = sa.select(Workspace.id, Workspace.name).where(Workspace.id.in_(ids))
        names = {row.id: row.name for row in session.execute(named)}
        mine = sa.select(Membership.workspace_id).where(Membership.user_id == current_user().id)
        own = set(session.scalars(mine))
    return render_template(
        "addons/parked.html",
        live_after=after,
        card=listing.readable(config(), card),
        found=found,
        failed=sum(one.failed for one in counts),
        waiting=sum(one.waiting for one in counts),
        names=names,
        own=own,
    )


@bp.post("/admin/addons/<slug>/parked/<int:parked_id>/retry")
@admin_required
def retry_parked(slug: str, parked_id: int) -> ResponseReturnValue:
    """Pass an event that failed to the listener again now."""
    _known(slug)
    if write_desk(parked_events.retry, slug, parked_id):
        flash_good(_("Lobby passes the event again in a few seconds."))
    else:
        flash_bad(_("This event is no longer set aside."))
    return redirect(url_for("addons.parked", slug=slug))


@bp.post("/admin/addons/<slug>/parked/<int:parked_id>/skip")
@admin_required
def skip_parked(slug: str, parked_id: int) -> ResponseReturnValue:
    """Skip an event that failed, so that those behind it follow."""
    _known(slug)
    if write_desk(parked_events.skip, slug, parked_id):
        flash_good(_("Event skipped. Those behind it follow in a few seconds."))
    else:
        flash_bad(_("This event is no longer set aside."))
    return redirect(url_for("addons.parked", slug=slug))


def _known(slug: str) -> Card:
    for card in lifecycle.installed():
        if card.slug == slug:
            return card
    raise NotFoundError()
