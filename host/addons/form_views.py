"""The pages of settings that addons declare as forms: a workspace's, and the server's."""

from __future__ import annotations

from typing import NamedTuple

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from host.addons import setting_checks, setting_forms
from host.addons.package.manifest import Manifest
from host.addons.package.translated import in_words
from host.addons.running.generation import current_generation
from host.addons.setting_checks import check_of
from host.addons.setting_forms import EnteredForm, FilledForm
from host.addons.views import bp
from host.core import db
from host.core.errors import LobbyError, NotFoundError
from host.sdk._forms.fields import Form
from host.sdk._forms.values import DESK
from host.sdk.cards import Problems, SettingsCheck
from host.users.pages import sudo
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    admin_required,
    flash_good,
    form_version,
    workspace_view,
    write_desk,
)

OF_WORKSPACE = "/w/<int:workspace_id>/settings/addons"
PREFIX = "setting-"
"""Begins the names of inputs, so that a setting may be called ``password``."""
REMOVE = "remove-"


def _with_form() -> list[Manifest]:
    """Return the running addons that declare settings of workspaces, by name."""
    manifests = current_generation().manifests.values()
    return sorted((one for one in manifests if one.forms.workspace), key=lambda one: one.name.lower())


navigation.add_settings(
    "addons.workspace_forms",
    _l("Settings of addons"),
    order=75,
    icon="puzzle",
    shown=lambda: bool(_with_form()),
    words="addons, plugins, extensions, API key, Erweiterungen, Schlüssel",
)


class _Page(NamedTuple):
    """A form and where it belongs.

    :param workspace_id: or :data:`DESK`.
    """

    manifest: Manifest
    form: Form
    workspace_id: int

    @property
    def template(self) -> str:
        return "addons/desk_form.html" if self.workspace_id == DESK else "addons/workspace_form.html"

    @property
    def url(self) -> str:
        slug = self.manifest.slug
        if self.workspace_id == DESK:
            return url_for("addons.desk_form", slug=slug)
        return url_for("addons.workspace_form", workspace_id=self.workspace_id, slug=slug)

    @property
    def check(self) -> SettingsCheck | None:
        """The check that its addon runs after saving, if any; settings of the server have none."""
        return None if self.workspace_id == DESK else check_of(self.manifest.slug)

    def show(self, entered: EnteredForm, problem: LobbyError | None = None) -> ResponseReturnValue:
        status = 200 if problem is None else problem.status
        page = render_template(
            self.template,
            manifest=in_words(self.manifest),
            entered=entered,
            problem=problem,
            checks=self.check is not None,
        )
        return page, 400 if entered.is_wrong else status

    def read(self) -> EnteredForm:
        with db.read() as session:
            return setting_forms.shown(
                session, self.manifest.slug, self.workspace_id, self.form, str(get_locale())
            )


def _text(name: str) -> str:
    return request.form.get(name, "")


def _given(form: Form) -> FilledForm:
    texts = {
        name: (sudo.secret if field.secret else _text)(f"{PREFIX}{name}") for name, field in form.items()
    }
    return FilledForm(texts, frozenset(name for name in form if f"{REMOVE}{name}" in request.form))


def _save(page: _Page) -> ResponseReturnValue:
    """Check what was sent and store it, or show it again with what is wrong.

    What is stored, the addon checks afterwards, if it has a check.
    """
    entered = setting_forms.check(page.read(), _given(page.form), str(get_locale()))
    if entered.is_wrong:
        return page.show(entered)
    slug, workspace_id = page.manifest.slug, page.workspace_id
    try:
        sudo.require()
        version = form_version()
        write_desk(setting_forms.save, slug, workspace_id, page.form, entered.values, version=version)
    except LobbyError as error:
        # Also for a missing password: the page that asks for one would contain the secrets.
        return page.show(entered, error)
    said = _("Saved.")
    if page.check is not None:
        outcome = setting_checks.run(page.check, page.manifest, workspace_id)
        if isinstance(outcome, Problems):
            return page.show(setting_checks.with_problems(page.read(), outcome))
        said = f"{said} {outcome}"
    flash_good(said)
    return redirect(page.url, 303)


def _of_workspace(workspace_id: int, slug: str) -> _Page:
    manifest = current_generation().manifests.get(slug)
    if manifest is None or not manifest.forms.workspace:
        raise NotFoundError()
    return _Page(manifest, manifest.forms.workspace, workspace_id)


def _of_desk(slug: str) -> _Page:
    manifest = current_generation().manifests.get(slug)
    if manifest is None or not manifest.forms.desk:
        raise NotFoundError()
    return _Page(manifest, manifest.forms.desk, DESK)


@bp.get(OF_WORKSPACE)
@workspace_view(Permission.SETTINGS)
def workspace_forms(workspace_id: int) -> ResponseReturnValue:
    """List the addons with settings of their own in this workspace."""
    pages = [_Page(one, one.forms.workspace, workspace_id) for one in _with_form()]
    return render_template(
        "addons/workspace_forms.html",
        listed=[(in_words(page.manifest), page.url, page.read().missing) for page in pages],
    )


@bp.get(f"{OF_WORKSPACE}/<slug>")
@workspace_view(Permission.SETTINGS)
@sudo.fresh_password
def workspace_form(workspace_id: int, slug: str) -> ResponseReturnValue:
    """Show an addon's settings in this workspace."""
    page = _of_workspace(workspace_id, slug)
    return page.show(page.read())


@bp.post(f"{OF_WORKSPACE}/<slug>")
@workspace_view(Permission.SETTINGS)
def save_workspace_form(workspace_id: int, slug: str) -> ResponseReturnValue:
    """Save an addon's settings in this workspace.

    The password is required, because a changed address could be sent the secrets stored beside it.
    """
    return _save(_of_workspace(workspace_id, slug))


@bp.get("/admin/addons/<slug>/server-settings")
@admin_required
@sudo.fresh_password
def desk_form(slug: str) -> ResponseReturnValue:
    """Show an addon's settings for the whole server."""
    page = _of_desk(slug)
    return page.show(page.read())


@bp.post("/admin/addons/<slug>/server-settings")
@admin_required
def save_desk_form(slug: str) -> ResponseReturnValue:
    """Save an addon's settings for the whole server. The password is required, as for a workspace's."""
    return _save(_of_desk(slug))
