"""The admin page for signing in: required second factors, and the sign-in provider."""

from __future__ import annotations

import itertools

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core.db import db
from host.core.errors import InvalidError, LobbyError
from host.core.secrets import Secret
from host.models.signing_in import RequirementScope
from host.models.users import Role
from host.users import roles, users, workspaces
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import ProviderForm, SecondFactorForm, text
from host.users.signin import oidc, settings
from host.users.signin.oidc import ProviderError
from host.users.signin.settings import GroupRule, SignIn
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import admin_required, config, external_url, flash_bad, flash_good, write_desk

navigation.add_admin(
    "accounts.sign_in_settings",
    _l("Sign-in"),
    order=55,
    section=navigation.DESK,
    words="login, Anmeldung",
    finds=(
        navigation.Find(
            _l("Second factor"),
            "second-title",
            "two-factor, 2FA, require, Zwei-Faktor, zweiter Faktor, Pflicht",
        ),
        navigation.Find(
            _l("Sign-in provider"),
            "provider-title",
            "single sign-on, SSO, OpenID Connect, OIDC, Google, Microsoft, Keycloak, Okta, Anbieter",
        ),
    ),
)

ADMIN = "admin"
"""Value of a group rule that makes people admins; others are ``<workspace>:<role>``."""
SPARE = 2
"""Empty rows for new group rules."""


@bp.get("/admin/sign-in")
@admin_required
@sudo.fresh_password
def sign_in_settings() -> ResponseReturnValue:
    """Show the sign-in settings."""
    return _page()


def _page(
    provider: ProviderForm | None = None, *, lines: list[tuple[str, str]] | None = None, status: int = 200
) -> ResponseReturnValue:
    with db.read() as reading:
        how = settings.read(reading, config())
        places = workspaces.listing(reading)
        people = [one for one in users.people(reading) if one.disabled_at is None]
    second = SecondFactorForm(formdata=None, data={"wanted": how.second_factor.value})
    if provider is None:
        provider = ProviderForm(formdata=None, data=_values(how))
    if lines is None:
        lines = [
            (
                one.group,
                ADMIN
                if one.workspace_id is None or one.role is None
                else f"{one.workspace_id}:{one.role.value}",
            )
            for one in how.groups
        ]
    page = render_template(
        "accounts/sign_in_settings.html",
        second=second,
        provider=provider,
        how=how,
        lines=[*lines, *[("", "")] * SPARE],
        places=places,
        role_names=roles.ROLE_NAMES,
        without=sum(not one.second_factor for one in people),
        admins_without=sum(not one.second_factor and one.is_admin for one in people),
        people=len(people),
        redirect_uri=external_url("accounts.from_provider"),
    )
    return page, status


def _values(how: SignIn) -> dict[str, object]:
    provider = how.provider
    return {
        "issuer": provider.issuer if provider else "",
        "client_id": provider.client_id if provider else "",
        "label": how.label,
        "passwords": how.passwords.value,
        "joins": how.joins,
        "trusted": how.trusted,
        "groups_claim": how.groups_claim,
    }


@bp.post("/admin/sign-in/second-factor")
@admin_required
@sudo.fresh_password
def save_second_factor() -> ResponseReturnValue:
    """Save who must have a second factor."""
    form = SecondFactorForm()
    if not form.validate():
        raise InvalidError()
    write_desk(settings.save_second_factor, RequirementScope(text(form.wanted)))
    flash_good(_("Saved. People who need one are asked to set it up on their next page."))
    return redirect(url_for("accounts.sign_in_settings"))


@bp.post("/admin/sign-in/provider")
@admin_required
@sudo.fresh_password
def save_provider() -> ResponseReturnValue:
    """Save the provider, then check that it responds."""
    form = ProviderForm()
    lines = list(
        itertools.zip_longest(
            (one.strip() for one in request.form.getlist("group")),
            request.form.getlist("gives"),
            fillvalue="",
        )
    )
    lines = [(group, gives) for group, gives in lines if group]
    if not form.validate():
        return _page(form, lines=lines, status=400)
    secret = text(form.secret)
    given = config().oidc_issuer

    try:
        write_desk(
            settings.save_provider,
            issuer=text(form.issuer),
            client_id=text(form.client_id),
            secret=Secret(secret) if secret else None,
            keep_secret=not request.form.get("no_secret"),
            label=text(form.label),
            passwords=RequirementScope(text(form.passwords)),
            joins=bool(form.joins.data),
            trusted=bool(form.trusted.data),
            groups_claim=text(form.groups_claim),
            groups=[_rule(group, gives) for group, gives in lines],
            given=given,
        )
    except LobbyError as error:
        if error.field in {"issuer", "client_id", "secret"}:
            form[error.field].errors = [str(error)]
        else:
            flash_bad(str(error))
        return _page(form, lines=lines, status=error.status)
    _look(given or text(form.issuer).strip())
    return redirect(url_for("accounts.sign_in_settings"))


def _look(issuer: str) -> None:
    if not issuer:
        flash_good(_("Saved. Sign-in through a provider is turned off."))
        return
    try:
        oidc.look(issuer)
    except ProviderError as error:
        flash_bad(_("Saved, but the provider can't be used yet: %(reason)s.", reason=error))
    else:
        flash_good(_("Saved. The provider responds. Test it in a private window before you sign out."))


def _rule(group: str, gives: str) -> GroupRule:
    """Return a group rule from the form.

    :raises InvalidError: for a role or a workspace that does not exist.
    """
    if gives == ADMIN:
        return GroupRule(group)
    place, _colon, role = gives.partition(":")
    if not place.isascii() or not place.isdigit() or len(place) > 18 or role not in set(Role):
        raise InvalidError(
            _("Choose the access that the group “%(group)s” grants.", group=group[:60]),
            next_step="",
            field="groups",
        )
    return GroupRule(group, int(place), Role(role))
