"""The admin page of desk settings: those set here, and those of the environment, with their origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core import config as settings
from host.core import mail
from host.core.config import Config
from host.core.db import db
from host.core.errors import ConflictError, InvalidError, LobbyError, NotFoundError
from host.users import data_retention, workspaces
from host.users import desk_settings as use_cases
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import MakeWorkspaceForm, text
from host.web import colours, navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    admin_required,
    config,
    current_user,
    desk,
    flash_bad,
    flash_good,
    form_version,
    login_required,
    maybe_user,
    open_to_all,
    passive,
    write_desk,
)

navigation.add_admin(
    "accounts.desk_settings",
    _l("Desk settings"),
    order=50,
    section=navigation.DESK,
    icon="gear",
    finds=(
        navigation.Find(_l("Public address"), "public-url", "URL, domain, host, Adresse, Domain"),
        navigation.Find(
            _l("Mail server"),
            "mail-title",
            "SMTP, relay, outgoing mail, notifications by mail, E-Mail, Postausgang",
        ),
        navigation.Find(_l("Who can create workspaces"), "makers", "new workspace, Arbeitsbereich anlegen"),
        navigation.Find(
            _l("Event retention"),
            "data-title",
            "received events, raw webhooks, event log, delete, privacy, Aufbewahrung, Datenschutz, löschen",
        ),
        navigation.Find(
            _l("Backups"),
            "backup-title",
            "backup, restore, export, Sicherung, Datensicherung, wiederherstellen",
        ),
        navigation.Find(
            _l("Appearance"), "look-title", "logo, brand, colour, name, Logo, Marke, Farbe, Aussehen"
        ),
    ),
)

WHY: Mapping[str, object] = {
    "private": _l(
        "The server name points to a private address. The server administrator can allow it: "
        "list this server and port in LOBBY_MAIL_RELAYS."
    ),
    "unreachable": _l(
        "The server can't be reached. Check the name and port, and whether a firewall blocks the connection."
    ),
    "login": _l("The server rejected the user name or password."),
    "plain": _l(
        "The server offers no encryption or no sign-in, and Lobby doesn't send passwords unencrypted."
    ),
    "certificate": _l("The server’s certificate is not valid for this name."),
    "refused": _l("The server rejected the email. It may not allow this sender."),
}


@bp.get("/admin/desk")
@admin_required
@sudo.fresh_password
def desk_settings() -> ResponseReturnValue:
    """Show the settings of the whole desk."""
    return _page()


@bp.post("/admin/desk/look")
@admin_required
def desk_look() -> ResponseReturnValue:
    """Save name and colour."""

    def given() -> dict[str, str]:
        name = request.form.get("name", "")
        values = {use_cases.NAME: use_cases.checked_name(name)}
        values[use_cases.COLOUR] = use_cases.checked_colour(request.form.get("colour", ""))
        return values

    return _save("look", given)


@bp.post("/admin/desk/address")
@admin_required
@sudo.fresh_password
def desk_address() -> ResponseReturnValue:
    """Save the public address; ask first if it would lock the admin out."""

    def given() -> dict[str, str]:
        _open("public_url")
        url = use_cases.checked_url(request.form.get("public_url", ""))
        if url.startswith("https://") and not _is_https() and "sure" not in request.form:
            raise InvalidError(
                _(
                    "You opened this page without https, and with this URL people can only sign in over "
                    "https."
                ),
                next_step=_("Confirm that the URL works, or open Lobby there first."),
            )
        return {"public_url": url}

    return _save("address", given)


@bp.post("/admin/desk/mail")
@admin_required
@sudo.fresh_password
def desk_mail() -> ResponseReturnValue:
    """Save the mail server and the sender."""

    def given() -> dict[str, str]:
        values = {}
        if "mail_server" not in config().given:
            with db.read() as reading:
                before = use_cases.stored(reading).get("mail_server", "")
            form = request.form
            values["mail_server"] = use_cases.checked_relay(
                form.get("host", ""),
                form.get("port", ""),
                form.get("encryption", ""),
                form.get("user", ""),
                form.get("relay_password", ""),
                before=before,
            )
        if "mail_from" not in config().given:
            values["mail_from"] = use_cases.checked_sender(request.form.get("sender", ""))
        return values

    return _save("mail", given)


@bp.post("/admin/desk/mail/test")
@admin_required
def test_mail() -> ResponseReturnValue:
    """Send a mail to the signed-in person through the saved server, and show the result."""
    with db.read() as reading:
        # Not the app's own server: right after saving, the next revision may not be running yet.
        server = mail.server_of(use_cases.overlaid(config(), use_cases.stored(reading)))
    if server is None:
        flash_bad(_("No mail server is set up."), at="mail")
        return _back("mail")
    to = current_user().email
    subject = _("Test email from %(desk)s", desk=desk().name)
    body = _("This is a test of the mail server of %(desk)s. It works.", desk=desk().name)
    try:
        mail.send(server, mail.compose(server, to, subject, body + "\n"))
    except mail.NotSentError as error:
        sentence = _("The test email was not sent.")
        flash_bad(f"{sentence} {WHY[error.why]} ({error})", at="mail")
    except mail.UnconfirmedError:
        flash_bad(
            _("The connection was lost, so the test email may or may not have been sent. Check your inbox."),
            "mail",
        )
    else:
        flash_good(
            _("The server accepted the test email. Check the inbox of %(email)s.", email=to), at="mail"
        )
    return _back("mail")


@bp.post("/admin/desk/rules")
@admin_required
@sudo.fresh_password
def desk_rules() -> ResponseReturnValue:
    """Save how long messages are kept and who may create a workspace."""

    def given() -> dict[str, str]:
        makers = request.form.get("makers", "admins")
        if makers not in {"admins", "anybody"}:
            raise InvalidError()
        days = 0
        if request.form.get("keep") == "days":
            days = use_cases.checked_days(request.form.get("days", ""))
            if not days:
                raise InvalidError(_("Enter a number of days."), next_step="")
        before = desk().retention_days
        shorter = days and (before == 0 or days < before)
        if shorter and "sure" not in request.form:
            raise InvalidError(
                _("Older messages will be erased in every workspace that uses the default."),
                next_step=_("Confirm this, then save again."),
            )
        return {use_cases.RETENTION: str(days or ""), use_cases.MAKERS: makers if makers != "admins" else ""}

    return _save("rules", given)


@bp.post("/admin/desk/data")
@admin_required
@sudo.fresh_password
def desk_data() -> ResponseReturnValue:
    """Save how long contents of received events and the event log are kept."""
    try:
        raw_days = data_retention.checked_raw(request.form.get("raw_days", ""))
        log_days = data_retention.checked_log(request.form.get("log_days", ""))
        now = data_retention.read()
        shorter = raw_days < now.raw_days or log_days < now.log_days
        if shorter and "sure" not in request.form:
            raise InvalidError(
                _("A shorter time permanently deletes older data."),
                next_step=_("Confirm this, then save again."),
            )
        write_desk(data_retention.save, raw_days, log_days, version=form_version())
    except (InvalidError, ConflictError) as error:
        return _page("data", error)
    flash_good(_("Saved. Older data is deleted in the background.") if shorter else _("Saved."), at="data")
    return _back("data")


def _save(section: str, given: Callable[[], dict[str, str]]) -> ResponseReturnValue:
    """Store the result of *given* for a section of the page; show errors in that section."""
    try:
        write_desk(use_cases.change, given(), version=form_version())
    except (InvalidError, ConflictError) as error:
        return _page(section, error)
    flash_good(_("Saved. The changes apply everywhere in a moment."), at=section)
    return _back(section)


def _open(name: str) -> None:
    """Refuse to change a setting of the environment.

    :raises ConflictError: if the environment sets it.
    """
    if name in config().given:
        raise ConflictError(
            _("This is set by an environment variable and can't be changed here."), next_step=""
        )


def _is_https() -> bool:
    return request.is_secure


def _back(section: str) -> ResponseReturnValue:
    return redirect(url_for("accounts.desk_settings", _anchor=section))


def _page(section: str = "", error: LobbyError | None = None) -> ResponseReturnValue:
    form = request.form
    with db.read() as reading:
        chosen = use_cases.stored(reading)
        version = use_cases.version(reading)
        look = use_cases.desk(reading)
        kept = data_retention.chosen(reading)
    now = use_cases.overlaid(config(), chosen)
    relay = _relay(now)
    if section == "mail":
        relay |= {name: form.get(name, "") for name in ("host", "port", "encryption", "user", "sender")}
    colour = form.get("colour", "") if section == "look" else look.colour
    page = render_template(
        "accounts/desk_settings.html",
        section=section,
        error=error,
        version=form.get("version") if error is not None else version,
        look=look,
        name=form.get("name", "") if section == "look" else look.name,
        colour=colour,
        palette=colours.palette(look.colour) if look.colour else None,
        public_url=form.get("public_url", "") if section == "address" else now.public_url,
        relay=relay,
        has_server=bool(now.mail_server),
        days=form.get("days", "") if section == "rules" else look.retention_days or "",
        keep=form.get("keep", "") if section == "rules" else "days" if look.retention_days else "ever",
        makers=form.get("makers", "")
        if section == "rules"
        else "anybody"
        if look.anybody_makes
        else "admins",
        raw_days=form.get("raw_days", "") if section == "data" else kept.raw_days,
        log_days=form.get("log_days", "") if section == "data" else kept.log_days,
        given=config().given,
        others=_others(now, chosen),
        own_email=current_user().email,
        least=use_cases.LEAST_DAYS,
        most=use_cases.MOST_DAYS,
    )
    return page, 200 if error is None else error.status


def _relay(now: Config) -> dict[str, str]:
    parts = urlsplit(now.mail_server)
    return {
        "host": parts.hostname or "",
        "port": str(parts.port or ""),
        "encryption": "tls" if parts.scheme == "smtps" else "starttls",
        "user": unquote(parts.username or ""),
        "sender": now.mail_from,
        "password": "kept" if parts.password else "",
    }


def _others(now: Config, chosen: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return variable, value and origin of settings only the environment sets; no values of secrets."""
    rows = []
    for one in settings.SETTINGS:
        if one.name in use_cases.OVERLAID:
            continue
        value = getattr(now, one.name)
        if one.secret:
            shown = str(_("set, not shown")) if value else ""
        elif isinstance(value, tuple):
            shown = ":".join(map(str, value)) if one.name.endswith(("bind", "listen")) else ", ".join(value)
        elif isinstance(value, bool):
            shown = "1" if value else "0"
        else:
            shown = "" if value is None else str(value)
        rows.append((one.variable, shown, use_cases.origin(now, chosen, one.name)))
    return rows


# For everyone


@bp.get("/desk.css")
@open_to_all
@passive
def desk_css() -> ResponseReturnValue:
    """The desk's colour, for both themes."""
    colour = desk().colour
    if not colour:
        raise NotFoundError()
    response = Response(colours.palette(colour).css, mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@bp.route("/workspaces/new", methods=["GET", "POST"])
@login_required
def new_workspace() -> ResponseReturnValue:
    """Create a workspace of one's own, where the desk allows that."""
    if not may_make_workspaces():
        raise NotFoundError()
    form = MakeWorkspaceForm()
    if form.validate_on_submit():
        try:
            workspace_id = write_desk(workspaces.add, text(form.name)).id
        except ConflictError as error:
            form.name.errors = [str(error)]
        else:
            flash_good(_("Workspace created. You are its owner."))
            return redirect(url_for("channels.index", workspace_id=workspace_id))
    page = render_template("accounts/new_workspace.html", form=form)
    return page, 400 if form.is_submitted() else 200


def may_make_workspaces() -> bool:
    """Return whether the signed-in person may create a workspace here."""
    user = maybe_user()
    return user is not None and (user.is_admin or desk().anybody_makes)


# Admins use the page of all workspaces instead.
navigation.add_own(
    "accounts.new_workspace",
    _l("New workspace"),
    order=90,
    icon="plus",
    shown=lambda: desk().anybody_makes,
)
