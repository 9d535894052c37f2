"""Labels of a conversation, and Settings → Labels, where leads manage them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core import db
from host.core.errors import LobbyError
from host.inbox import names
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNotFoundError
from host.inbox.labels.models import Label, LabelTone
from host.inbox.pages.action_views import CONVERSATION, answer_done
from host.inbox.pages.arguments import form_id
from host.users.actor import UnitOfWork
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.portions import SIZE, portion
from host.web.request_helpers import (
    Permission,
    flash_good,
    flashing,
    id_argument,
    workspace_view,
    write,
)

navigation.add_settings(
    "labels.index",
    _l("Labels"),
    order=20,
    section=navigation.LABELS,
    icon="tag",
    words="tags, categories, colours, Schlagwörter, Kategorien, Farben, Etiketten",
    finds=(navigation.Find(_l("New label"), "new-title", "add label, create tag, Label anlegen"),),
)

bp = Blueprint("labels", __name__, template_folder="templates")

SETTINGS = "/w/<int:workspace_id>/settings/labels"
TONES: dict[LabelTone, LazyString] = {
    LabelTone.GREY: _l("Gray"),
    LabelTone.BLUE: _l("Blue"),
    LabelTone.TEAL: _l("Teal"),
    LabelTone.GREEN: _l("Green"),
    LabelTone.AMBER: _l("Amber"),
    LabelTone.ORANGE: _l("Orange"),
    LabelTone.RED: _l("Red"),
    LabelTone.PINK: _l("Pink"),
    LabelTone.VIOLET: _l("Violet"),
}
"""The palette, in the order it is offered."""


@bp.post(f"{CONVERSATION}/labels")
@workspace_view(Permission.ANSWER)
def set_labels(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Add the label ``add`` to the conversation, or remove the label ``remove``."""
    add, remove = form_id("add"), form_id("remove")
    with flashing(LabelNotFoundError):
        write(
            labels.set_labels,
            conversation_id,
            add=() if add is None else (add,),
            remove=() if remove is None else (remove,),
        )
    return answer_done(workspace_id, conversation_id)


@bp.get(SETTINGS)
@workspace_view(Permission.SHARED)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the labels of the workspace, with the number of conversations that have each."""
    return _page(workspace_id)


def _page(workspace_id: int, problem: LobbyError | None = None, *, at: int = 0) -> ResponseReturnValue:
    """Return the page.

    :param problem: why the form of the label *at* was not saved; 0 is the form for a new one.
    """
    with db.read() as session:
        listed = labels.listing(session, workspace_id)
    wanted = request.args.get("q", "").strip()
    found = [one for one in listed if wanted.casefold() in one.name.casefold()]
    shown = at or id_argument("label")
    place = next((place for place, one in enumerate(found) if one.id == shown), None)
    page = render_template(
        "labels/index.html",
        labels=listed,
        part=portion(found, containing=place),
        wanted=wanted,
        many=len(listed) > SIZE,
        tones=TONES,
        problem=problem,
        at=at,
        longest=names.LONGEST,
    )
    return page, 200 if problem is None else problem.status


@bp.post(SETTINGS)
@workspace_view(Permission.SHARED)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a label."""
    use_case = partial(labels.create, name=request.form.get("name", ""), tone=_tone() or LabelTone.GREY)
    return _saved(workspace_id, 0, use_case, lambda new: _("Label “%(name)s” created.", name=new.name))


@bp.post(f"{SETTINGS}/<int:label_id>")
@workspace_view(Permission.SHARED)
def change(workspace_id: int, label_id: int) -> ResponseReturnValue:
    """Rename or recolour a label."""
    use_case = partial(labels.change, label_id=label_id, name=request.form.get("name"), tone=_tone())
    return _saved(workspace_id, label_id, use_case, lambda _label: _("Saved."))


@bp.post(f"{SETTINGS}/<int:label_id>/delete")
@workspace_view(Permission.SHARED)
def delete(workspace_id: int, label_id: int) -> ResponseReturnValue:
    """Delete a label, or merge it into another with the id ``into`` or the name ``into_name``."""
    given, name = form_id("into"), request.form.get("into_name", "").strip()

    def delete_or_merge(work: UnitOfWork) -> tuple[Label, Label | None]:
        into = labels.by_name(work.session, workspace_id, name).id if name else given
        if into is None:
            return labels.delete(work, label_id), None
        return labels.merge(work, label_id, into_id=into)

    def sentence(both: tuple[Label, Label | None]) -> str:
        gone, kept = both
        if kept is not None:
            return _("Label “%(gone)s” was merged into “%(kept)s”.", gone=gone.name, kept=kept.name)
        return _("Label “%(gone)s” deleted.", gone=gone.name)

    return _saved(workspace_id, label_id, delete_or_merge, sentence)


def _saved(
    workspace_id: int, at: int, use_case: Callable[[UnitOfWork], Any], sentence: Callable[[Any], str]
) -> ResponseReturnValue:
    """Run *use_case* and go back to the page; if it refused, show the page with the reason."""
    try:
        flash_good(sentence(write(use_case)))
    except LobbyError as error:
        return _page(workspace_id, error, at=at)
    return redirect(url_for("labels.index", workspace_id=workspace_id, label=at or None), 303)


@bp.get("/w/<int:workspace_id>/label-choices")
@workspace_view(Permission.READ)
def choices(workspace_id: int) -> Response:
    """Return the first labels matching ``q``, and their number."""
    with db.read() as session:
        return account_picker.matching(account_picker.named(labels.all_of(session, workspace_id)))


def _tone() -> LabelTone | None:
    text = request.form.get("tone", "")
    return LabelTone(text) if text in set(LabelTone) else None
