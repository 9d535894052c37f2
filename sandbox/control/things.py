"""Control: create and change apps, Pages, accounts, customers and tokens; see the state."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response, jsonify, request

from sandbox import ids, seed
from sandbox.control.base import (
    NUMBER,
    OPTIONAL_TEXT,
    InputError,
    NotFoundError,
    body,
    box,
    bp,
    find_account,
    find_app,
    find_customer,
    texts,
)
from sandbox.world import FIELDS, INSTAGRAM_FIELDS, Account, App, Customer, Json, Page, Token, User

Allowed = dict[str, type | tuple[type, ...]]

APP: Allowed = {
    "name": str,
    "mode": str,
    "access": str,
    "restricted": bool,
    "require_proof": bool,
    "instagram_secret": OPTIONAL_TEXT,
    "fields": list,
    "roles": list,
    "webhook_timeout": NUMBER,
    "retry_seconds": list,
    "disable_after": NUMBER,
    "redirect_uris": list,
}
ACCOUNT: Allowed = {
    "username": str,
    "name": str,
    "account_type": str,
    "allow_messages": bool,
    "human_agent": bool,
    "messaging_blocked": bool,
    "followers_count": int,
}
CUSTOMER: Allowed = {
    "name": OPTIONAL_TEXT,
    "username": str,
    "follower_count": int,
    "is_verified_user": bool,
    "is_user_follow_business": bool,
    "is_business_follow_user": bool,
    "has_picture": bool,
    "consent": str,
    "available": bool,
    "last_message_at": (int, float, type(None)),
}
TOKEN: Allowed = {
    "valid": bool,
    "subcode": (int, type(None)),
    "scopes": list,
    "expires_in": NUMBER,
    "data_access_expires_in": NUMBER,
}
CHOICES = {
    "mode": ("live", "dev"),
    "access": ("advanced", "standard"),
    "consent": ("after_message", "granted", "denied"),
    "account_type": ("BUSINESS", "MEDIA_CREATOR", "PERSONAL"),
    "type": ("PAGE", "USER", "IG_USER"),
}


def _check(data: Json) -> Json:
    for name, choices in CHOICES.items():
        if name in data and data[name] not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}")
    for name in ("fields", "roles", "scopes", "redirect_uris", "tasks"):
        if name in data:
            texts(data, name)
    for field in data.get("fields", []):
        if not any(field in fields for fields in FIELDS.values()):
            raise InputError(f"fields may hold only {', '.join(INSTAGRAM_FIELDS)}")
    waits = data.get("retry_seconds", [])
    if not all(type(wait) in (int, float) and wait >= 0 for wait in waits):
        raise InputError("retry_seconds must be a list of numbers")
    if data.get("webhook_timeout", 1) <= 0:
        raise InputError("webhook_timeout must be above 0")
    return data


def _apply(thing: Any, data: Json) -> None:
    for name, value in data.items():
        setattr(thing, name, value)


def _show(thing: Any) -> Json:
    shown: Json = dataclasses.asdict(thing)
    return shown


def _free_id(wanted: str | None, taken: Any, prefix: str, length: int) -> str:
    chosen = ids.digits(prefix, length) if wanted is None else wanted
    if not chosen.isdigit() or not 5 <= len(chosen) <= 20:
        raise InputError("id must be 5 to 20 digits")
    if chosen in taken:
        raise InputError(f"{chosen} exists already")
    return chosen


@bp.get("/desk")
def desk() -> Response:
    """Show the settings that make a desk use this sandbox instead of Meta."""
    base = request.host_url.rstrip("/")
    with box().lock:
        app = next(iter(box().world.apps.values()))
    prefix = "LOBBY_ADDON_INSTAGRAM_"
    return jsonify(
        {
            "LOBBY_ALLOW_HOSTS": request.host,
            f"{prefix}GRAPH_FACEBOOK_URL": f"{base}/graph.facebook.com",
            f"{prefix}GRAPH_INSTAGRAM_URL": f"{base}/graph.instagram.com",
            f"{prefix}FACEBOOK_DIALOG_URL": f"{base}/www.facebook.com",
            f"{prefix}INSTAGRAM_DIALOG_URL": f"{base}/www.instagram.com",
            f"{prefix}INSTAGRAM_TOKEN_URL": f"{base}/api.instagram.com",
            f"{prefix}FACEBOOK_APP_ID": app.id,
            f"{prefix}FACEBOOK_APP_SECRET": app.secret,
            f"{prefix}INSTAGRAM_APP_ID": app.id,
            f"{prefix}INSTAGRAM_APP_SECRET": app.instagram_secret or app.secret,
            "LOBBY_ADDON_WHATSAPP_GRAPH_URL": f"{base}/graph.facebook.com",
        }
    )


@bp.get("/state")
def state() -> Response:
    """Show everything that exists, including tokens."""
    b = box()
    with b.lock:
        world = b.world
        return jsonify(
            clock={"now": b.clock.now(), "iso": b.clock.iso(), "offset": b.clock.offset},
            settings=_show(b.settings),
            apps=[_show(app) for app in world.apps.values() if app.object == "instagram"],
            users=[_show(user) for user in world.users.values()],
            pages=[_show(page) for page in world.pages.values()],
            accounts=[_show(account) for account in world.accounts.values()],
            customers=[_show(customer) for customer in world.customers.values()],
            tokens=[_show(token) for token in world.tokens.values() if token.waba_ids is None],
            conversations=[
                {"id": c.id, "account": c.igid, "customer": c.igsid, "messages": len(c.messages)}
                for c in world.conversations.values()
            ],
            faults=[rule.as_json() for rule in b.faults.rules],
            queue={"busy": b.courier.busy, "planned": len(b.courier.schedule)},
            graph={
                "F": f"{b.media.base_url}/graph.facebook.com",
                "I": f"{b.media.base_url}/graph.instagram.com",
            },
        )


@bp.post("/apps")
def create_app() -> tuple[Response, int]:
    """Create an app."""
    data = _check(body({**APP, "id": str, "secret": str}, ("name",)))
    with box().lock:
        apps = box().world.apps
        app_id = _free_id(data.pop("id", None), apps, "12", 16)
        app = App(app_id, data.pop("secret", ids.digits("5", 32)), data.pop("name"))
        _apply(app, data)
        apps[app_id] = app
        return jsonify(_show(app)), 201


@bp.patch("/apps/<app_id>")
def change_app(app_id: str) -> Response:
    """Change an app's switches."""
    data = _check(body(APP))
    with box().lock:
        app = find_app(app_id)
        _apply(app, data)
        return jsonify(_show(app))


@bp.post("/users")
def create_user() -> tuple[Response, int]:
    """Create a person who can sign in and own Pages."""
    data = body({"name": str, "id": str}, ("name",))
    with box().lock:
        users = box().world.users
        user_id = _free_id(data.get("id"), users, "102", 17)
        users[user_id] = User(user_id, data["name"])
        return jsonify(_show(users[user_id])), 201


@bp.post("/pages")
def create_page() -> tuple[Response, int]:
    """Create a Page, with its Instagram account unless ``username`` is left out."""
    allowed: Allowed = {**ACCOUNT, "id": str, "igid": str, "tasks": list, "user": str}
    data = _check(body(allowed, ("name",)))
    with box().lock:
        world = box().world
        tasks, owner = data.pop("tasks", None), data.pop("user", seed.USER_ID)
        if owner not in world.users:
            raise NotFoundError(f"no user {owner}")
        page_id = _free_id(data.pop("id", None), world.pages, "1000", 15)
        account = None
        if "username" in data or "igid" in data:
            igid = _free_id(data.pop("igid", None), world.accounts, "178414", 17)
            username = data.pop("username", f"sample.{igid[-4:]}")
            account = Account(igid, username, data["name"], ids.digits("27", 17), page_id)
            world.accounts[igid] = account
            _apply(account, data)
        page = Page(page_id, data["name"], owner, account.igid if account else None)
        if tasks is not None:
            page.tasks = tasks
        world.pages[page_id] = page
        return jsonify(page=_show(page), account=_show(account) if account else None), 201


@bp.patch("/pages/<page_id>")
def change_page(page_id: str) -> Response:
    """Rename a Page, change its owner's permissions, or link and unlink its Instagram account."""
    data = _check(body({"name": str, "igid": OPTIONAL_TEXT, "tasks": list}))
    with box().lock:
        world = box().world
        page = world.pages.get(page_id)
        if page is None:
            raise NotFoundError(f"no Page {page_id}")
        if "igid" in data:
            for account in world.accounts.values():
                if account.page_id == page_id:
                    account.page_id = None
            if data["igid"] is not None:
                find_account(data["igid"]).page_id = page_id
            for token in world.tokens.values():
                if token.page_id == page_id:
                    token.igid = data["igid"]
        _apply(page, data)
        return jsonify(_show(page))


@bp.patch("/accounts/<name>")
def change_account(name: str) -> Response:
    """Change an account's switches."""
    data = _check(body(ACCOUNT))
    with box().lock:
        account = find_account(name)
        _apply(account, data)
        return jsonify(_show(account))


@bp.post("/customers")
def create_customer() -> tuple[Response, int]:
    """Create a customer of an account."""
    data = _check(body({**CUSTOMER, "account": str, "igsid": str}))
    with box().lock:
        world = box().world
        account = find_account(data.pop("account", None))
        igsid = _free_id(data.pop("igsid", None), world.customers, "1026", 16)
        if not 15 <= len(igsid) <= 17:
            raise InputError("igsid must be 15 to 17 digits")
        username = data.pop("username", f"guest.{igsid[-5:]}")
        customer = Customer(igsid, account.igid, data.pop("name", None), username)
        _apply(customer, data)
        world.customers[igsid] = customer
    box().ledger.touch()
    return jsonify(_show(customer)), 201


@bp.patch("/customers/<name>")
def change_customer(name: str) -> Response:
    """Change a customer: consent, availability, when they last wrote."""
    data = _check(body(CUSTOMER))
    with box().lock:
        customer = find_customer(name)
        _apply(customer, data)
        return jsonify(_show(customer))


@bp.post("/tokens")
def create_token() -> tuple[Response, int]:
    """Issue a token for a Page, an account (Instagram Login) or the user."""
    allowed: Allowed = {**TOKEN, "app": str, "type": str, "page": str, "account": str, "value": str}
    data = _check(body(allowed))
    with box().lock:
        world, now = box().world, box().clock.now()
        app, kind = find_app(data.get("app")), data.get("type", "PAGE")
        page = igid = None
        if kind == "PAGE":
            page = world.pages.get(data.get("page", ""))
            if page is None:
                raise InputError("a PAGE token needs page, the id of a Page")
            igid = page.igid
        elif kind == "IG_USER":
            igid = find_account(data.get("account")).igid
        prefix = "IGAA" if kind == "IG_USER" else "EAA"
        value = data.get("value") or ids.token_value(prefix)
        if value in world.tokens:
            raise InputError("a token with this value exists already")
        token = Token(
            id=f"token-{len(world.tokens) + 1}",
            value=value,
            type=kind,
            app_id=app.id,
            user_id=seed.USER_ID,
            scopes=list(seed.SCOPES_I if kind == "IG_USER" else seed.SCOPES_F),
            page_id=page.id if page else None,
            igid=igid,
            issued_at=now,
            data_access_expires_at=now + 90 * seed.DAY,
        )
        _change_token(token, data, now)
        world.tokens[value] = token
        return jsonify(_show(token)), 201


@bp.patch("/tokens/<token_id>")
def change_token(token_id: str) -> Response:
    """Break or repair a token: ``{"valid": false, "subcode": 460}``, scopes, expiry."""
    data = _check(body(TOKEN))
    with box().lock:
        for token in box().world.tokens.values():
            if token.id == token_id:
                _change_token(token, data, box().clock.now())
                return jsonify(_show(token))
    raise NotFoundError(f"no token {token_id}")


def _change_token(token: Token, data: Json, now: float) -> None:
    for name in ("valid", "subcode", "scopes"):
        if name in data:
            setattr(token, name, data[name])
    if "expires_in" in data:
        token.expires_at = now + data["expires_in"] if data["expires_in"] else 0.0
    if "data_access_expires_in" in data:
        token.data_access_expires_at = now + data["data_access_expires_in"]
