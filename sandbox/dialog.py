"""The login dialogs of both roads: a person chooses an identity and permissions, and gets a code.

M2, M30, M39. Errors that Meta only shows on its own page and never returns are pages here too: an unknown
app, an unregistered address, an app in development mode.
"""

from __future__ import annotations

import secrets
from typing import NoReturn
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, abort, current_app, make_response, redirect, render_template, request

from sandbox import seed
from sandbox.box import Sandbox
from sandbox.errors import GraphError
from sandbox.graph.call import same
from sandbox.graph.oauth import redeem
from sandbox.world import App, Code, Flavour, Json, User

bp = Blueprint("dialog", __name__, template_folder="templates")

FACEBOOK = "/www.facebook.com/<version>/dialog/oauth"
INSTAGRAM = ("/www.instagram.com/oauth/authorize", "/api.instagram.com/oauth/authorize")


def _box() -> Sandbox:
    found: Sandbox = current_app.config["SANDBOX"]
    return found


@bp.after_request
def harden(response: Response) -> Response:
    """Let the form redirect to the app's own address, and run no scripts."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; form-action *; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    if _box().settings.cut_opener:
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


@bp.route(FACEBOOK, methods=["GET", "POST"])
def facebook(version: str) -> Response:
    """Show Facebook's dialog: the person, their Pages, the permissions."""
    return _ask(Flavour.F, version)


@bp.route(INSTAGRAM[0], methods=["GET", "POST"])
@bp.route(INSTAGRAM[1], methods=["GET", "POST"], endpoint="instagram_api")
def instagram() -> Response:
    """Show Instagram's dialog: the account and the permissions."""
    return _ask(Flavour.I, "")


def _ask(flavour: Flavour, version: str) -> Response:
    box = _box()
    rule = box.faults.draw("dialog", ("error", "timeout", "garbage"), request.path)
    if rule is not None:
        _page("Sorry, something went wrong. We're working on it.", status=rule.options.get("status", 503))
    with box.lock:
        app = box.world.apps.get(request.args.get("client_id", ""))
        if app is None:
            _page("Invalid App ID: The provided app ID does not look like a valid app ID.")
        back = request.args.get("redirect_uri", "")
        if urlsplit(back).scheme not in {"http", "https"} or (
            app.redirect_uris and back not in app.redirect_uris
        ):
            _page(
                "URL blocked: This redirect failed because the redirect URI is not white-listed in the "
                "app's client OAuth settings."
            )
        if request.args.get("response_type", "code") != "code":
            _page("Invalid response_type")
        asked = [scope for scope in request.args.get("scope", "").replace(" ", ",").split(",") if scope]
        known = seed.SCOPES_F if flavour is Flavour.F else seed.SCOPES_I
        unknown = [scope for scope in asked if scope not in known]
        if unknown:
            _page(f"Invalid Scopes: {', '.join(unknown)}")
        if request.method == "POST":
            return _decide(flavour, app, back, asked)
        return make_response(
            render_template(
                "dialog.html",
                app=app,
                facebook=flavour is Flavour.F,
                people=list(box.world.users.values()),
                pages=list(box.world.pages.values()),
                accounts=list(box.world.accounts.values()),
                scopes=asked,
                version=version,
            )
        )


def _decide(flavour: Flavour, app: App, back: str, asked: list[str]) -> Response:
    world, form = _box().world, request.form
    state = {"state": request.args["state"]} if "state" in request.args else {}
    if form.get("decision") != "allow":
        denied = {
            "error": "access_denied",
            "error_reason": "user_denied",
            "error_description": "Permissions error",
        }
        if flavour is Flavour.F:
            denied["error_code"] = "200"
        return _back(back, denied | state)
    person = world.users.get(form.get("person", "")) or next(iter(world.users.values()))
    if app.mode == "dev" and not _has_role(app, person):
        _page("App not active: This app is not accessible right now and the app developer is aware of it.")
    account = world.accounts.get(form.get("account", ""))
    if flavour is Flavour.I and account is None:
        _page("Choose an account.")
    if flavour is Flavour.I and account is not None and not account.is_professional:
        _page("This is a personal account. Make it a professional one in the Instagram app first.")
    ticked = [scope for scope in asked if scope in form.getlist("scope")]
    if flavour is Flavour.F:
        granted = world.grants.setdefault((app.id, person.id), set())
        granted.difference_update(asked)
        granted.update(ticked)
        ticked = [scope for scope in seed.SCOPES_F if scope in granted]
    value = secrets.token_urlsafe(60)
    world.codes[value] = Code(
        value=value,
        app_id=app.id,
        user_id=person.id,
        redirect_uri=back,
        scopes=ticked,
        at=_box().clock.now(),
        page_ids=form.getlist("page") if flavour is Flavour.F else None,
        igid=account.igid if account is not None and flavour is Flavour.I else None,
    )
    # Instagram appends "#_" to the redirect address (M30).
    return _back(back, {"code": value} | state, "#_" if flavour is Flavour.I else "")


def _has_role(app: App, person: User) -> bool:
    return person.id in app.roles


def _back(address: str, values: dict[str, str], fragment: str = "") -> Response:
    joint = "&" if urlsplit(address).query else "?"
    answer = redirect(f"{address}{joint}{urlencode(values)}{fragment}", 302)
    return make_response(answer)


def _page(sentence: str, status: int = 400) -> NoReturn:
    abort(make_response(render_template("dialog_error.html", sentence=sentence), status))


@bp.post("/api.instagram.com/oauth/access_token")
def instagram_token() -> tuple[Json, int]:
    """Exchange a code of road I: form in, its own error envelope out (M30)."""
    box, form = _box(), request.form
    rule = box.faults.draw("oauth", ("error",), request.path)
    if rule is not None:
        return _refused(rule.options.get("message", "Service temporarily unavailable"), 400)
    with box.lock:
        app = box.world.apps.get(form.get("client_id", ""))
        if app is None:
            return _refused("Invalid platform app", 400)
        if not same(form.get("client_secret", ""), app.instagram_secret or app.secret):
            return _refused("Error validating client secret.", 400)
        if form.get("grant_type") != "authorization_code":
            return _refused("Invalid grant_type", 400)
        try:
            token = redeem(box, app, form.get("code", ""), form.get("redirect_uri", ""), instagram=True)
        except GraphError:
            return _refused("Matching code was not found or was already used", 400)
        account = box.world.accounts[token.igid or ""]
        # In practice a number without quotes, in the docs a string; clients must accept both.
        plain: Json = {
            "access_token": token.value,
            "user_id": int(account.igid),
            "permissions": list(token.scopes),
        }
        if box.settings.wrap_logins:
            text = plain | {"user_id": account.igid, "permissions": ",".join(token.scopes)}
            return {"data": [text]}, 200
        return plain, 200


def _refused(sentence: str, status: int) -> tuple[Json, int]:
    return {"error_type": "OAuthException", "code": status, "error_message": sentence}, status
