"""Code shared by both sign-ins: the app, the dialog's errors, and sentences for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from host.sdk import clock
from host.sdk.cards import SignInProblem, SignInReturn
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import gettext as _

from .. import config
from ..graph import GraphError
from ..values import clean
from . import apps, comments_switch


def again() -> str:
    """Return the next step after most errors."""
    return str(_("Try again."))


def app(flavour: config.Flavour, workspace_id: int) -> config.MetaApp | SignInProblem:
    """Return the app to sign in to: the workspace's own, else the installation's."""
    try:
        found = apps.app_of(flavour, workspace_id)
    except SecretUnreadableError:
        return SignInProblem(
            _("The secret of this workspace's own Meta app can't be read."),
            _("Enter it again under Settings, Channels, Your own Meta app."),
        )
    if found is not None:
        return found
    return SignInProblem(
        _("Sign-in needs a Meta app, and none is registered on this desk yet."),
        _("Ask your admin to enter the Meta app's ID and secret, or connect by pasting credentials."),
    )


def unavailable(flavour: config.Flavour, workspace_id: int) -> str | None:
    """Return why this sign-in is unavailable in a workspace, or None if it is available."""
    found = app(flavour, workspace_id)
    return found.sentence if isinstance(found, SignInProblem) else None


def code_of(request: SignInReturn) -> str | SignInProblem:
    """Return the code from the dialog, or its error."""
    values = request.values
    # Instagram appends "#_" to the URL; some clients keep it.
    code = values.get("code", "").removesuffix("#_")
    if code and "error" not in values:
        return code
    reason = values.get("error_reason", "") or values.get("error", "")
    if reason in {"user_denied", "access_denied"}:
        return SignInProblem(
            _("You canceled the sign-in, so nothing was connected."),
            _("Try again and choose Continue."),
        )
    words = clean(values.get("error_description", "") or values.get("error_message", "") or reason)[:300]
    if words:
        return SignInProblem(
            _("Meta canceled the sign-in: %(words)s", words=words),
            _("If this keeps happening, contact your admin."),
        )
    return SignInProblem(_("Nothing was connected because Meta didn't respond."), again())


def refused(error: GraphError) -> SignInProblem:
    """Return the problem for an error during the exchange."""
    if error.code is None:
        return SignInProblem(
            _("Nothing was connected because Meta couldn't be reached. %(words)s", words=error.quote),
            _("Try again in a few minutes."),
        )
    if "client secret" in error.words.lower() or "client_secret" in error.words.lower():
        return SignInProblem(
            _("Meta rejected this desk's app secret."),
            _("Ask your admin to copy the secret from the Meta app again."),
        )
    if "redirect_uri" in error.words:
        return SignInProblem(
            _("This desk's redirect URL isn't registered with Meta."),
            _("Ask your admin to add the redirect URL to the Meta app's login settings."),
        )
    return SignInProblem(_("Meta didn't complete the sign-in: %(words)s", words=error.quote), again())


def lacking(wanted: tuple[str, ...], granted: tuple[str, ...]) -> SignInProblem | None:
    """Return a sentence about permissions that were deselected in the dialog, or None."""
    missing = [name for name in wanted if name not in granted]
    if not missing:
        return None
    return SignInProblem(
        _("Missing permissions: %(missing)s.", missing=", ".join(missing)),
        _("Try again and keep all permissions selected."),
    )


def asks_for_comments(abilities: Collection[str]) -> bool:
    """Return whether a sign-in asks for comments."""
    return comments_switch.ABILITY in abilities


def end_of(expires_in: float) -> datetime | None:
    """Return when a token with this lifetime in seconds expires, or None if it does not."""
    return clock.now() + timedelta(seconds=expires_in) if 0 < expires_in < 10**9 else None


def text_of(at: datetime | None) -> str:
    """Return a time as text for storage."""
    return "" if at is None else at.isoformat()


def time_of(kept: Mapping[str, str], name: str) -> datetime | None:
    """Return a time stored as text."""
    return datetime.fromisoformat(kept[name]) if kept.get(name) else None
