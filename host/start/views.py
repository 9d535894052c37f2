"""The list of first steps: its page, what keeps it current, and its buttons."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from host.addons import lifecycle, reports
from host.addons.lifecycle import Outcome
from host.addons.package import shipped
from host.addons.package.failures import AddonError
from host.addons.package.shipped import Shipped
from host.addons.running.generation import current_host
from host.channels.directory import current_directory
from host.channels.pages.asking_views import ask_admins
from host.core import db
from host.core.backports.values import replace
from host.core.errors import ForbiddenError, InvalidError, NotFoundError
from host.inbox.pages.inbox_page import page_instead
from host.start import hours_step, shown, steps
from host.start.steps import Key
from host.users.pages.sudo import fresh_password
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    actor,
    admin_required,
    config,
    current_user,
    flash_bad,
    flash_good,
    id_in,
    passive,
    workspace_view,
    write,
)

bp = Blueprint("start", __name__, template_folder="templates")

PAGE = "/w/<int:workspace_id>/start"


def _back(workspace_id: int) -> ResponseReturnValue:
    """Redirect to where the list is: the inbox while it leads there, else its own page."""
    with db.read() as session:
        leads = steps.read(session, workspace_id, (), installable=False).leads
    return redirect(url_for("inbox.index" if leads else "start.index", workspace_id=workspace_id))


@bp.get(PAGE)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show the list, even if it was hidden."""
    return page_instead(workspace_id, shown.start_list(workspace_id))


@bp.get(f"{PAGE}/list")
@passive
@workspace_view(Permission.ACCOUNTS)
def current(workspace_id: int) -> ResponseReturnValue:
    """Return the list and the counts beside it as HTML, for a page that shows them already."""
    found = shown.start_list(workspace_id)
    if found.progress.row:
        shown.record(workspace_id, found.progress)
    return page_instead(workspace_id, found, parts=True)


@bp.post(f"{PAGE}/hide")
@workspace_view(Permission.ACCOUNTS)
def hide(workspace_id: int) -> ResponseReturnValue:
    """Hide the list: the inbox comes back."""
    db.write(steps.hide, workspace_id)
    if request.form.get("done") != "1":
        flash_good(_("List hidden. As long as the inbox is empty, it has a button to show it again."))
    return redirect(url_for("inbox.index", workspace_id=workspace_id))


@bp.post(f"{PAGE}/skip")
@workspace_view(Permission.ACCOUNTS)
def skip(workspace_id: int) -> ResponseReturnValue:
    """Skip a step; it can still be done."""
    try:
        key = Key(request.form.get("step", ""))
    except ValueError:
        raise InvalidError() from None
    db.write(steps.skip, workspace_id, key)
    return _back(workspace_id)


@bp.post(f"{PAGE}/ask")
@workspace_view(Permission.ACCOUNTS)
def ask(workspace_id: int) -> ResponseReturnValue:
    """Ask every admin for the channel, or remind them."""
    ask_admins(workspace_id)
    return _back(workspace_id)


@bp.post(f"{PAGE}/hours")
@workspace_view(Permission.ACCOUNTS)
def hours(workspace_id: int) -> ResponseReturnValue:
    """Save the working hours and the greeting that the step asks for, both or neither."""
    typed = hours_step.entered()
    try:
        write(hours_step.save, typed, current_directory())
    except InvalidError as error:
        page = page_instead(workspace_id, shown.start_list(workspace_id, replace(typed, problem=error)))
        return page, error.status
    flash_good(_("Saved."))
    return _back(workspace_id)


@bp.post("/admin/first-steps/install")
@admin_required
@fresh_password
def install() -> ResponseReturnValue:
    """Install and activate an addon that comes with this release, for the workspace in the form."""
    workspace_id = id_in(request.form.get("workspace", ""), "workspace")
    if current_user().membership(workspace_id) is None:
        raise NotFoundError()
    if not config().uploads:
        raise ForbiddenError()
    wanted = next((one for one in shipped.addons() if one.sha256 == request.form.get("sha256")), None)
    if wanted is None:
        raise NotFoundError()
    try:
        outcome = _install(wanted)
    except AddonError as error:
        flash_bad(_(error.sentence))
        return _back(workspace_id)
    if outcome.ok:
        flash_good(_("%(name)s is installed and active.", name=_(wanted.manifest.name)))
        return _back(workspace_id)
    flash_bad(_(str((outcome.error or {}).get("sentence", ""))))
    return redirect(
        url_for("addons.index", _anchor=f"addon-{wanted.manifest.slug}", ran=wanted.manifest.slug)
    )


def _install(wanted: Shipped) -> Outcome:
    """Install and activate *wanted*, as from the page of addons.

    :raises AddonError: if it may not replace what is installed, or another operation is running.
    """
    by, slug = actor(), wanted.manifest.slug
    report = reports.upload(config(), wanted.path, actor=by, name=wanted.path.name)
    release = report.release
    if release is None:
        raise AddonError(" ".join(report.problems))
    outcome = lifecycle.install(config(), release.id, host=current_host(), actor=by)
    return lifecycle.activate(config(), slug, host=current_host(), actor=by) if outcome.ok else outcome
