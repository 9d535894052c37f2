"""Pictures chosen by people: of themselves, of a workspace, and the logo of the desk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from flask import redirect, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from host.core import db, storage
from host.core.errors import InvalidError, NotFoundError
from host.media import file_removal, files, portraits
from host.media.limits import FileRefusedError
from host.media.pages.blueprint import bp
from host.media.pages.upload_views import MULTIPART
from host.users import desk_settings, users, workspaces
from host.users.actor import DeskWork
from host.web.languages import gettext as _
from host.web.request_helpers import (
    CurrentWorkspace,
    Permission,
    admin_required,
    body_limit,
    current_user,
    desk,
    flash_bad,
    flash_good,
    login_required,
    open_to_all,
    passive,
    workspace_view,
    write_desk,
)
from host.web.template_filters import initials, tone


def _chosen() -> str | None:
    """Store the form's ``picture`` and return its key; None if the form removes the picture.

    :raises FileRefusedError: if it is not a picture that can be shown.
    :raises InvalidError: if the form contains neither.
    """
    given = request.files.get("picture")
    if given is not None and given.filename:
        with closing(given):
            return portraits.keep(given.stream)
    if "remove" not in request.form:
        raise InvalidError(_("No file was uploaded."), next_step=_("Choose one and try again."))
    return None


def _put(where: str, put: Callable[[DeskWork, str | None], str | None]) -> ResponseReturnValue:
    """Store or remove the picture, and report the result on the page *where*.

    :param put: the use case: writes the key and returns the previous one.
    """
    try:
        key = _chosen()
    except (FileRefusedError, InvalidError) as error:
        flash_bad(str(error))
        return redirect(where)
    write_desk(_replace, put, key)
    flash_good(_("Saved."))
    return redirect(where)


def _replace(work: DeskWork, put: Callable[[DeskWork, str | None], str | None], key: str | None) -> None:
    before = put(work, key)
    if before is not None:
        file_removal.remove_later(work.session, [before])


def _send(key: str | None, cache: str) -> ResponseReturnValue:
    if key is None:
        raise NotFoundError()
    try:
        file = storage.open_stored(key)
    except storage.NotStoredError:
        raise NotFoundError() from None
    response = files.send(file, content_type=portraits.CONTENT_TYPE, name="picture.webp", key=key)
    response.headers["Cache-Control"] = cache
    return response


@bp.post("/account/picture")
@body_limit(portraits.MOST_BYTES + MULTIPART)
@login_required
def choose_portrait() -> ResponseReturnValue:
    """Set the signed-in person's picture to the form's ``picture``, or remove it."""
    return _put(url_for("accounts.account"), users.set_picture)


@bp.post("/w/<int:workspace_id>/settings/general/picture")
@body_limit(portraits.MOST_BYTES + MULTIPART)
@workspace_view(Permission.SETTINGS)
def choose_workspace_picture(workspace_id: int) -> ResponseReturnValue:
    """Set the workspace's picture to the form's ``picture``, or remove it."""
    where = url_for("accounts.general", workspace_id=workspace_id)
    return _put(where, lambda work, key: workspaces.set_picture(work.at(workspace_id), key))


@bp.get("/w/<int:workspace_id>/picture")
@workspace_view(Permission.READ)
def workspace_picture(workspace_id: int) -> ResponseReturnValue:
    """Show the picture of a workspace to its members."""
    return _send(_key_of(workspace_id), "private, max-age=3600")


@bp.post("/admin/desk/logo")
@body_limit(portraits.MOST_BYTES + MULTIPART)
@admin_required
def choose_logo() -> ResponseReturnValue:
    """Set the logo of the desk to the form's ``picture``, or remove it."""
    return _put(url_for("accounts.desk_settings"), desk_settings.set_logo)


@bp.get("/desk/logo")
@open_to_all
@passive
def logo() -> ResponseReturnValue:
    """Show the logo of the desk, also on the sign-in page."""
    return _send(desk().logo, "public, max-age=3600")


@bp.get("/people/<int:user_id>/picture")
@login_required
def portrait(user_id: int) -> ResponseReturnValue:
    """Show a person's picture to those who share a workspace with them, and to admins."""
    with db.read() as session:
        key = users.picture_for(session, user_id, current_user())
    return _send(key, "private, max-age=3600")


def picture_url(user_id: int, picture: str) -> str:
    """Return the URL of a person's picture, which changes with the picture so that browsers reload it."""
    return url_for("media.portrait", user_id=user_id, v=picture) if picture else ""


def workspace_mark(workspace: CurrentWorkspace) -> Markup:
    """Return the picture of a workspace, or its initials, as a small square."""
    if not workspace.picture:
        return Markup('<span class="avatar square tone-{}" aria-hidden="true">{}</span>').format(
            tone(workspace.id), initials(workspace.name)
        )
    address = url_for("media.workspace_picture", workspace_id=workspace.id, v=workspace.picture)
    return Markup('<img class="avatar square" src="{}" alt="" width="36" height="36">').format(address)


def _key_of(workspace_id: int) -> str | None:
    with db.read() as session:
        return workspaces.picture_key(session, workspace_id)


def logo_url() -> str:
    """Return the URL of the desk's logo; empty if it has none."""
    key = desk().logo
    return url_for("media.logo", v=key[:12]) if key else ""


@bp.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals.update(
        picture_url=picture_url, workspace_mark=workspace_mark, logo_url=logo_url
    )
