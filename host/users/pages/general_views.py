"""Settings → General: a workspace's name, message retention, archiving, deletion."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core.db import db
from host.core.errors import InvalidError, LobbyError
from host.users import desk_settings, retention, workspaces
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import WorkspaceForm, text
from host.users.retention import Falls
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    current_user,
    desk,
    flash_bad,
    flash_good,
    form_version,
    in_archive_too,
    workspace_view,
    write,
)

GENERAL = "/w/<int:workspace_id>/settings/general"

navigation.add_settings(
    "accounts.general",
    _l("General"),
    order=10,
    icon="building",
    words="workspace, company, Arbeitsbereich, Firma",
    finds=(
        navigation.Find(_l("Name"), "name", "workspace name, logo, picture, Name des Arbeitsbereichs, Bild"),
        navigation.Find(_l("Time zone"), "timezone", "clock, local time, Uhrzeit, Ortszeit"),
        navigation.Find(_l("Language"), "language", "English, German, Deutsch, Englisch"),
        navigation.Find(
            _l("Replying to an unassigned conversation"),
            "on_reply",
            "assign automatically, take over, automatisch zuweisen, übernehmen",
        ),
        navigation.Find(
            _l("Undo a sent reply within"),
            "undo",
            "undo send, delay, seconds, rückgängig, verzögern, Sekunden",
        ),
        navigation.Find(
            _l("Push notifications to phones"), "pushes", "push, phone, privacy, Smartphone, Datenschutz"
        ),
        navigation.Find(
            _l("Conversations kept on phones for reading offline"),
            "offline",
            "offline, app, copy, device, ohne Verbindung, Gerät",
        ),
        navigation.Find(_l("Drafts of colleagues"), "drafts", "see drafts, Entwürfe sehen"),
        navigation.Find(
            _l("New customers with a known phone number or email address"),
            "same_person",
            "merge contacts, duplicates, Kontakte zusammenführen, Dubletten",
        ),
        navigation.Find(
            _l("Data retention"),
            "kept-title",
            "delete old messages, delete customer, GDPR, privacy, erase, backups, DSGVO, Datenschutz, Kunden "
            "löschen, Aufbewahrung, Sicherung",
        ),
        navigation.Find(
            _l("Archive or delete"),
            "end-title",
            "close workspace, remove workspace, Arbeitsbereich löschen, archivieren",
        ),
    ),
)


@bp.route(GENERAL, methods=["GET", "POST"])
@workspace_view(Permission.SETTINGS)
def general(workspace_id: int) -> ResponseReturnValue:
    """Show the settings of the workspace; change name, time zone, language, and the effects of a reply."""
    if request.method == "GET":
        return _page(workspace_id)
    form = WorkspaceForm()
    # A field missing from the form keeps its value.
    fields = [name for name in ("name", "timezone", "language") if name in request.form]
    if "name" not in fields:
        form.name.data = g.workspace.name
    if not form.validate():
        return _page(workspace_id, form, status=400)

    given: dict[str, Any] = {name: text(form[name]) for name in fields}
    if "on_reply" in request.form:
        given["assigns_on_reply"] = form.on_reply.data == "assign"
    if "undo" in request.form:
        given["undo_seconds"] = int(form.undo.data)
    if "drafts" in request.form:
        given["shows_drafts"] = form.drafts.data == "show"
    if "pushes" in request.form:
        given["pushes_content"] = form.pushes.data == "content"
    if "offline" in request.form:
        given["offline_conversations"] = int(form.offline.data)
    if "same_person" in request.form:
        given["joins_contacts"] = form.same_person.data == "join"
    try:
        write(workspaces.change, version=form_version(), **given)
    except workspaces.SavedMeanwhileError as error:
        flash_bad(str(error))
        return _page(workspace_id, form, status=error.status)
    flash_good(_("Saved."))
    return _back(workspace_id)


@bp.post(f"{GENERAL}/retention")
@workspace_view(Permission.SETTINGS)
def keep_for(workspace_id: int) -> ResponseReturnValue:
    """Set how long messages are kept, after showing how many would be deleted immediately."""
    try:
        days = _days_given()
    except InvalidError as error:
        return _page(workspace_id, problem=str(error), status=400)
    reading = db.session()
    now = workspaces.settings(reading, workspace_id)
    usual = desk().retention_days
    after = retention.days_of(days, usual)
    if retention.is_shorter(after, retention.days_of(now.retention_days, usual)):
        sudo.require()
        falls = retention.falls(reading, workspace_id, after)
        # Ask again only if clearly more would be deleted than shown; the messages of a minute don't matter.
        if falls.messages and request.form.get("sure") != str(after):
            return _ask_retention(workspace_id, falls, after, now.version)

    try:
        write(workspaces.set_retention, days, version=form_version())
    except workspaces.SavedMeanwhileError as error:
        flash_bad(str(error))
        return _page(workspace_id, status=error.status)
    flash_good(_("Saved."))
    return _back(workspace_id)


def _ask_retention(workspace_id: int, falls: Falls, days: int, version: int) -> ResponseReturnValue:
    return render_template(
        "accounts/retention.html",
        falls=falls,
        days=days,
        keep=request.form.get("keep", ""),
        version=request.form.get("version") or version,
    )


def _days_given() -> int | None:
    """Return the choice of the form; None: the desk's default.

    :raises InvalidError: for an invalid number.
    """
    keep = request.form.get("keep", "")
    if keep == "desk":
        return None
    if keep == "ever":
        return 0
    if keep != "days":
        raise InvalidError()
    days = desk_settings.checked_days(request.form.get("days", ""))
    if not days:
        raise InvalidError(_("Enter a number of days."), next_step="")
    return days


@bp.post(f"{GENERAL}/archive")
@in_archive_too
@workspace_view(Permission.SETTINGS)
@sudo.fresh_password
def archive(workspace_id: int) -> ResponseReturnValue:
    """Make the workspace read-only."""
    write(workspaces.archive)
    flash_good(_("Workspace archived. You can read it, and restore it here."))
    return _back(workspace_id)


@bp.post(f"{GENERAL}/restore")
@in_archive_too
@workspace_view(Permission.SETTINGS)
def restore(workspace_id: int) -> ResponseReturnValue:
    """Restore an archived workspace, or cancel the deletion of one."""
    write(workspaces.restore)
    with db.read() as reading:
        still = workspaces.settings(reading, workspace_id).archived_at is not None
    if still:
        flash_good(_("Deletion canceled. The workspace is archived again."))
    else:
        flash_good(_("Workspace restored. Messages received in the meantime are being added to the inbox."))
    return _back(workspace_id)


@bp.route(f"{GENERAL}/delete", methods=["GET", "POST"])
@in_archive_too
@workspace_view(Permission.SETTINGS)
def delete_workspace(workspace_id: int) -> ResponseReturnValue:
    """Show what will be deleted with the workspace; schedule it once its name and a password are typed.

    People without a password confirm their identity in another way.
    """
    problem = ""
    if g.workspace.ends_at is not None:
        return _back(workspace_id)
    if request.method == "POST":
        if " ".join(request.form.get("name", "").split()) != g.workspace.name:
            problem = _("The name does not match the workspace, so nothing was deleted.")
        else:
            try:
                sudo.verify_or_require(request.form.get("password", ""))
                return _delete(workspace_id)
            except LobbyError as error:
                if error.status not in {400, 401, 403, 429} or not current_user().has_password:
                    raise
                problem = str(error)
    page = render_template(
        "accounts/delete_workspace.html",
        holdings=workspaces.holdings(db.session(), workspace_id),
        problem=problem,
        typed=request.form.get("name", ""),
        grace=retention.GRACE.days,
    )
    return page, 400 if problem else 200


def _delete(workspace_id: int) -> ResponseReturnValue:
    write(workspaces.ask_deletion)
    return _back(workspace_id)


def _page(
    workspace_id: int, form: WorkspaceForm | None = None, *, problem: str = "", status: int = 200
) -> ResponseReturnValue:
    reading = db.session()
    found = workspaces.settings(reading, workspace_id)
    if form is None:
        values = {
            "name": found.name,
            "timezone": found.timezone,
            "language": found.language,
            "on_reply": "assign" if found.assigns_on_reply else "",
            "undo": str(found.undo_seconds),
            "drafts": "show" if found.shows_drafts else "",
            "pushes": "content" if found.pushes_content else "",
            "offline": str(found.offline_conversations),
            "same_person": "join" if found.joins_contacts else "",
        }
        form = WorkspaceForm(formdata=None, data=values)
    usual = desk().retention_days
    page = render_template(
        "accounts/general.html",
        form=form,
        settings=found,
        usual=usual,
        days=request.form.get("days", "") or found.retention_days or "",
        keep=request.form.get("keep", "") or _choice(found.retention_days),
        problem=problem,
        least=desk_settings.LEAST_DAYS,
        most=desk_settings.MOST_DAYS,
        grace=retention.GRACE.days,
    )
    return page, status


def _choice(days: int | None) -> str:
    return "desk" if days is None else "days" if days else "ever"


def _back(workspace_id: int) -> ResponseReturnValue:
    return redirect(url_for("accounts.general", workspace_id=workspace_id))
