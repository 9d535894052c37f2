"""Connect an account by signing in at its provider: the dialog, the redirect back, and the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from urllib.parse import urlencode, urlsplit

from host.sdk.cards import (
    Advice,
    Candidate,
    Connection,
    Field,
    Permission,
    SignIn,
    SignInChoice,
    SignInProblem,
    SignInReturn,
    SignInStart,
)
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext
from host.sdk.secrets import Secret

from . import apps, exchange
from .providers import GOOGLE, MICROSOFT, OTHER, App, Provider
from .tokens import Signed, row_of

Connect = Callable[[SignInChoice, Provider, Signed], Connection | SignInProblem]


MAILBOX = "mailbox"
"""Name of the field for a mailbox other than that of the person who signs in."""


def sign_ins(connect: Connect, clean: Callable[[str], str]) -> tuple[SignIn, ...]:
    """Return the ways to sign in. *connect* tries the tokens at both servers, and stores the account.

    :param clean: returns an address normalised, or raises ValueError.
    """
    return (
        _way(
            GOOGLE,
            connect,
            lazy_gettext("Sign in with Google"),
            lazy_gettext("The mailbox is on Gmail or Google Workspace"),
            lazy_gettext("Sign in to Google with the mailbox's own account."),
            lazy_gettext("Until access is revoked or the mailbox’s password changes"),
            (
                Permission(
                    "https://mail.google.com/",
                    lazy_gettext("Read and send email"),
                    lazy_gettext("Required to connect the mailbox."),
                ),
            ),
        ),
        _way(
            MICROSOFT,
            connect,
            lazy_gettext("Sign in with Microsoft"),
            lazy_gettext("The mailbox is on Microsoft 365 or Outlook"),
            lazy_gettext(
                "Sign in to Microsoft with the mailbox's own account, or with yours for a shared mailbox."
            ),
            lazy_gettext("Until access is revoked; renewed automatically"),
            (
                Permission("IMAP.AccessAsUser.All", lazy_gettext("Read email")),
                Permission("SMTP.Send", lazy_gettext("Send email")),
                Permission("offline_access", lazy_gettext("Keep access while you're signed out")),
            ),
            (
                Field(
                    MAILBOX,
                    lazy_gettext("Shared mailbox"),
                    help=lazy_gettext(
                        "Enter its address if you sign in with your own account. Leave empty if you sign "
                        "in with the mailbox's account."
                    ),
                    required=False,
                    placeholder="support@example.com",
                    max_length=254,
                    clean=clean,
                ),
            ),
        ),
        _way(
            OTHER,
            connect,
            lazy_gettext("Sign in with another provider"),
            lazy_gettext("The provider uses OAuth 2 instead of a password"),
            lazy_gettext("Sign in to the provider set under Sign-in apps."),
            lazy_gettext("As long as the provider allows; renewed automatically"),
            (),
        ),
    )


def _way(
    name: str,
    connect: Connect,
    label: str,
    when: str,
    how: str,
    lasts: str,
    permissions: Sequence[Permission],
    fields: tuple[Field, ...] = (),
) -> SignIn:
    return SignIn(
        name=name,
        label=label,
        begin=partial(begin, name),
        finish=partial(finish, name),
        connect=partial(_connect, name, connect),
        available=partial(unavailable, name),
        advice=Advice(
            when=when,
            how=how,
            needs=lazy_gettext("The mailbox’s sign-in details"),
            takes=lazy_gettext("One minute, nothing to copy"),
            lasts=lasts,
        ),
        permissions=(lambda: permissions) if permissions else None,
        fields=fields,
    )


def unavailable(way: str, workspace_id: int) -> str | None:
    """Return why this way cannot be offered in a workspace, or None."""
    found = _app(way, workspace_id)
    return f"{found.sentence} {found.next_step}" if isinstance(found, SignInProblem) else None


def _app(way: str, workspace_id: int) -> App | SignInProblem:
    where = _("Ask an owner to set it up under Settings, Channels, Sign-in apps. Instructions are there.")
    try:
        found = apps.app_of(workspace_id, way)
    except SecretUnreadableError:
        return SignInProblem(_("The secret of the sign-in app can't be read."), where)
    if found is None:
        return SignInProblem(_("Signing in requires an app registered with the provider."), where)
    return found


def begin(way: str, start: SignInStart) -> str | SignInProblem:
    """Return the address of the provider's dialog."""
    app = _app(way, start.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": start.return_url,
        "scope": " ".join(app.provider.scopes),
        "state": start.state,
        "code_challenge": import_module("authlib.oauth2.rfc7636").create_s256_code_challenge(start.verifier),
        "code_challenge_method": "S256",
        **app.provider.asked,
    }
    if start.account is not None:
        query["login_hint"] = _person_of(start.account) or start.account.external_id
    where = app.provider.authorize_url
    return where + ("&" if urlsplit(where).query else "?") + urlencode(query)


def finish(way: str, request: SignInReturn) -> Sequence[Candidate] | SignInProblem:
    """Exchange the code for tokens, and determine the mailbox."""
    app, code = _app(way, request.workspace_id), _code_of(request)
    if isinstance(app, SignInProblem):
        return app
    if isinstance(code, SignInProblem):
        return code
    again = _("Try again.")
    try:
        got = exchange.by_code(app, code, request.return_url, request.verifier)
        address = exchange.address_in(app, got)
    except exchange.AppRefusedError as error:
        return SignInProblem(
            _("The provider rejected this app’s ID and secret: %(words)s", words=error),
            _("Enter them again under Settings, Channels, Sign-in apps."),
        )
    except exchange.EndedError as error:
        return SignInProblem(_("The provider didn't complete the sign-in: %(words)s", words=error), again)
    except exchange.AwayError as error:
        return SignInProblem(
            _("Nothing was connected because the provider couldn't be reached. %(words)s", words=error),
            _("Try again in a few minutes."),
        )
    missing = [one for one in app.provider.must if not _granted(one, got.scopes)]
    if missing:
        return SignInProblem(
            _("Missing permissions: %(missing)s.", missing=", ".join(missing)),
            _("Try again and keep all permissions selected."),
        )
    if got.refresh is None:
        return SignInProblem(
            _("Nothing was connected because the provider's sign-in expires within the hour."),
            _("Try again. If this keeps happening, the app must request offline access (offline_access)."),
        )
    if address is None and request.account is not None and way == OTHER:
        # The provider doesn't say who signed in. Signing in to the mail server as this account will show it.
        address = request.account.external_id
    if address is None:
        return SignInProblem(
            _("The provider didn't return the mailbox's address."),
            _("Add the scopes openid and email to the app."),
        )
    person = ""
    shared = request.given.get(MAILBOX, "")
    if request.account is not None and _person_of(request.account):
        shared = request.account.external_id
    if shared and shared != address:
        # Signing in to the mail servers will show whether this person may open the mailbox.
        person, address = address, shared
    if request.account is not None and address != request.account.external_id:
        return SignInProblem(
            _(
                "Nothing was changed. You signed in as %(other)s, but this account is %(own)s.",
                other=address,
                own=request.account.external_id,
            ),
            _("Choose Reconnect again and sign in as %(own)s.", own=request.account.external_id),
        )
    signed = Signed(way, app.client_id, got.refresh, got.access, got.expires_at, person)
    keep = {"signed": signed.packed().reveal()}
    detail = _("Shared mailbox, signed in as %(person)s", person=person) if person else ""
    return [Candidate(external_id=address, name=address, handle=address, detail=detail, keep=keep)]


def asked_of_admin(person: str, mailbox: str, *, read: bool) -> str:
    """Return what to ask the admin for when signing in to a shared mailbox.

    :param read: whether it can be read, so that only sending is missing.
    """
    if read:
        return str(
            _(
                "Ask your Microsoft 365 admin to give %(person)s the “Send as” permission for "
                "%(mailbox)s and to enable “Authenticated SMTP” for that mailbox. The change can take up "
                "to an hour.",
                person=person,
                mailbox=mailbox,
            )
        )
    return str(
        _(
            "Ask your Microsoft 365 admin to give %(person)s the “Read and manage” (full access) and "
            "“Send as” permissions for %(mailbox)s and to enable IMAP for that mailbox. The change can "
            "take up to an hour.",
            person=person,
            mailbox=mailbox,
        )
    )


def _person_of(account: AccountRef) -> str:
    """Return the person who signed in to a shared mailbox; empty if it is not shared."""
    row = row_of(account.id)
    return "" if row is None else row.person or ""


def _code_of(request: SignInReturn) -> str | SignInProblem:
    """Return the code from the dialog, or its error."""
    code, error = request.values.get("code", ""), request.values.get("error", "")
    if code and not error:
        return code
    if error == "access_denied":
        return SignInProblem(
            _("Access was declined at the provider, so nothing was connected."),
            _("Try again and accept, or ask your organization's admin to allow the app."),
        )
    words = " ".join((request.values.get("error_description", "") or error).split())[:300]
    if words:
        return SignInProblem(
            _("The provider ended the sign-in: %(words)s", words=words),
            _("If this keeps happening, contact your admin."),
        )
    return SignInProblem(
        _("Nothing was connected because the provider didn't respond."),
        _("Try again."),
    )


def _granted(scope: str, granted: frozenset[str] | None) -> bool:
    """Return whether a scope was granted; some providers omit the service prefix."""
    if granted is None:
        return True
    names = {one.lower() for one in granted}
    return scope.lower() in names or scope.rpartition("/")[2].lower() in names - {""}


def _connect(way: str, connect: Connect, choice: SignInChoice) -> Connection | SignInProblem:
    app = _app(way, choice.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    signed = Signed.unpacked(Secret(choice.candidate.keep["signed"]))
    if signed.client_id != app.client_id:
        return SignInProblem(_("The app was changed in the meantime."), _("Try again."))
    made = connect(choice, app.provider, signed)
    return replace(made, way=way) if isinstance(made, Connection) else made
