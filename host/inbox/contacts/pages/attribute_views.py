"""Settings -> Attributes: custom fields for the workspace's customers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core import db
from host.core.errors import LobbyError
from host.inbox import names
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.inbox.contacts.pages.blueprint import bp
from host.inbox.contacts.pages.shown import KINDS
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import Permission, flash_good, id_argument, workspace_view, write

navigation.add_settings(
    "contacts.attribute_list",
    _l("Attributes"),
    order=22,
    section=navigation.LABELS,
    icon="view",
    words="custom fields, contact fields, properties, eigene Felder, Kundendaten, Eigenschaften",
    finds=(navigation.Find(_l("New attribute"), "new-title", "add field, create field, Feld anlegen"),),
)

SETTINGS = "/w/<int:workspace_id>/settings/attributes"


@bp.get(SETTINGS)
@workspace_view(Permission.SHARED)
def attribute_list(workspace_id: int) -> ResponseReturnValue:
    """List the attributes of the workspace, with the number of contacts that have a value for each."""
    return _page(workspace_id)


def _page(workspace_id: int, problem: LobbyError | None = None, *, at: int = 0) -> ResponseReturnValue:
    """Return the page.

    :param problem: why the form of the attribute *at* was not saved; 0 is the form for a new one.
    """
    with db.read() as session:
        found = attributes.all_of(session, workspace_id)
        counts = attributes.counts(session, workspace_id)
    shown = at or id_argument("attribute")
    place = next((place for place, one in enumerate(found) if one.id == shown), None)
    page = render_template(
        "contacts/attributes.html",
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
    use_case = partial(
        attributes.create,
        name=request.form.get("name", ""),
        kind=AttributeKind(given) if given in set(AttributeKind) else AttributeKind.TEXT,
        choices=request.form.get("choices", "").splitlines(),
    )
    return _saved(workspace_id, 0, use_case, lambda new: _("Attribute “%(name)s” created.", name=new.name))


@bp.post(f"{SETTINGS}/<int:attribute_id>")
@workspace_view(Permission.SHARED)
def change_attribute(workspace_id: int, attribute_id: int) -> ResponseReturnValue:
    """Rename an attribute or one of its choices."""
    choices = request.form.get("choices")
    use_case = partial(
        attributes.change,
        attribute_id=attribute_id,
        name=request.form.get("name"),
        choices=None if choices is None else choices.splitlines(),
    )
    return _saved(workspace_id, attribute_id, use_case, lambda _changed: _("Saved."))


@bp.post(f"{SETTINGS}/<int:attribute_id>/delete")
@workspace_view(Permission.SHARED)
def delete_attribute(workspace_id: int, attribute_id: int) -> ResponseReturnValue:
    """Delete an attribute with its values."""
    use_case = partial(attributes.delete, attribute_id=attribute_id)
    return _saved(
        workspace_id,
        attribute_id,
        use_case,
        lambda gone: _("Attribute “%(name)s” deleted.", name=gone.name),
    )


def _saved(
    workspace_id: int,
    at: int,
    use_case: Callable[..., ContactAttribute],
    sentence: Callable[[ContactAttribute], str],
) -> ResponseReturnValue:
    """Run *use_case* and go back to the page; if it refused, show the page with the reason."""
    try:
        flash_good(sentence(write(use_case)))
    except LobbyError as error:
        if error.status == 404:
            raise
        return _page(workspace_id, error, at=at)
    return redirect(url_for("contacts.attribute_list", workspace_id=workspace_id, attribute=at or None), 303)
