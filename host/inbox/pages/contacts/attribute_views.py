"""Settings -> Attributes: what else the workspace keeps about its customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox import names
from host.inbox.contacts import attributes
from host.inbox.pages.contacts.shown import KINDS
from host.inbox.pages.context import bp
from host.models.contacts import AttributeKind
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import Permission, audit, flash_good, id_argument, workspace_view

navigation.add_settings("inbox.attribute_list", _l("Attributes"), order=22, icon="view")

SETTINGS = "/w/<int:workspace_id>/settings/attributes"


@bp.get(SETTINGS)
@workspace_view(Permission.SHARED)
def attribute_list(workspace_id: int) -> ResponseReturnValue:
    """List the attributes of the workspace, with the number of contacts that have something for each."""
    return _page(workspace_id)


def _page(workspace_id: int, problem: LobbyError | None = None, *, at: int = 0) -> ResponseReturnValue:
    """Return the page.

    :param problem: why the form of the attribute *at*, or with 0 that of a new one, was not saved.
    """
    with db.read() as session:
        found = attributes.all_of(session, workspace_id)
        counts = attributes.counts(session, workspace_id)
    shown = at or id_argument("attribute")
    place = next((place for place, one in enumerate(found) if one.id == shown), None)
    page = render_template(
        "inbox/contacts/attributes.html",
        part=portion(found, containing=place),
        counts=counts,
        kinds=KINDS,
        problem=problem,
        at=at,
        longest=names.LONGEST,
    )
    return page, 200 if problem is None else problem.status


@bp.post(SETTINGS)
@workspace_view(Permission.SHARED)
def add_attribute(workspace_id: int) -> ResponseReturnValue:
    """Add an attribute."""
    given = request.form.get("kind", "")

    def use_case(session: Session) -> str:
        found = attributes.create(
            session,
            workspace_id=workspace_id,
            name=request.form.get("name", ""),
            kind=AttributeKind(given) if given in set(AttributeKind) else AttributeKind.TEXT,
            choices=request.form.get("choices", "").splitlines(),
            now=clock.now(),
        )
        audit(session, "attribute.added", found.name, workspace_id=workspace_id)
        return found.name

    return _saved(workspace_id, 0, use_case, lambda name: _("Every contact has a %(name)s now.", name=name))


@bp.post(f"{SETTINGS}/<int:attribute_id>")
@workspace_view(Permission.SHARED)
def change_attribute(workspace_id: int, attribute_id: int) -> ResponseReturnValue:
    """Rename an attribute, or give a choice other words."""

    def use_case(session: Session) -> str:
        choices = request.form.get("choices")
        found = attributes.change(
            session,
            workspace_id=workspace_id,
            attribute_id=attribute_id,
            name=request.form.get("name"),
            choices=None if choices is None else choices.splitlines(),
        )
        audit(session, "attribute.changed", found.name, workspace_id=workspace_id)
        return found.name

    return _saved(workspace_id, attribute_id, use_case, lambda _name: _("Saved."))


@bp.post(f"{SETTINGS}/<int:attribute_id>/delete")
@workspace_view(Permission.SHARED)
def delete_attribute(workspace_id: int, attribute_id: int) -> ResponseReturnValue:
    """Delete an attribute, with what contacts have for it."""

    def use_case(session: Session) -> str:
        gone = attributes.delete(session, workspace_id=workspace_id, attribute_id=attribute_id)
        audit(session, "attribute.deleted", gone.name, workspace_id=workspace_id)
        return gone.name

    return _saved(
        workspace_id, attribute_id, use_case, lambda name: _("The attribute %(name)s is gone.", name=name)
    )


def _saved(
    workspace_id: int, at: int, use_case: Callable[[Session], Any], sentence: Callable[[Any], str]
) -> ResponseReturnValue:
    """Run *use_case* and go back to the page; if it refused, show the page with the reason."""
    try:
        flash_good(sentence(db.write(use_case)))
    except LobbyError as error:
        if error.status == 404:
            raise
        return _page(workspace_id, error, at=at)
    return redirect(url_for("inbox.attribute_list", workspace_id=workspace_id, attribute=at or None), 303)
