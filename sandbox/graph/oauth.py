"""Token exchanges by servers, for codes and tokens (M30, M31)."""

from __future__ import annotations

from sandbox import ids
from sandbox.box import Sandbox
from sandbox.errors import GraphError
from sandbox.graph.call import Call, check_token, same
from sandbox.graph.shapes import invalid
from sandbox.world import App, Json, Token

HOUR = 3600
DAY = 24 * HOUR
LONG = 60 * DAY


def exchange(call: Call) -> Json:
    """``GET /oauth/access_token``: a token for a code, an app token, a long-lived token (M31, M39)."""
    app = _client(call)
    if "code" in call.params:
        bought = redeem(call.box, app, call.text("code"), call.text("redirect_uri"), instagram=False)
        return {"access_token": bought.value, "token_type": "bearer", "expires_in": HOUR}
    grant = call.text("grant_type")
    if grant == "client_credentials":
        return {"access_token": f"{app.id}|{app.secret}", "token_type": "bearer"}
    if grant != "fb_exchange_token":
        raise invalid("Param grant_type must be one of {client_credentials, fb_exchange_token}")
    token = call.box.world.tokens.get(call.text("fb_exchange_token"))
    if token is None or token.app_id != app.id or token.type != "USER":
        raise GraphError(190)
    check_token(call.box, token)
    return _longer(call, token, "EAA")


def instagram_exchange(call: Call) -> Json:
    """``GET /access_token`` and ``/refresh_access_token`` of road I (M2, M30)."""
    token = call.box.world.tokens.get(call.given_token())
    if token is None or token.type != "IG_USER":
        raise GraphError(190)
    check_token(call.box, token)
    call.token = token
    call.need("instagram_basic", "instagram_business_basic")
    now = call.box.clock.now()
    if call.node == "access_token":
        app = call.box.world.apps[token.app_id]
        known = (app.secret, app.instagram_secret or app.secret)
        if call.text("client_secret") not in known:
            raise invalid("Error validating client secret.")
        return _longer(call, token, "IGAA")
    if now - token.issued_at < DAY:
        raise invalid("The access token must be at least 24 hours old to be refreshed")
    token.issued_at, token.expires_at = now, now + LONG
    return {"access_token": token.value, "token_type": "bearer", "expires_in": LONG}


def redeem(box: Sandbox, app: App, code: str, redirect_uri: str, *, instagram: bool) -> Token:
    """Return the short-lived token for a code, which is valid once and only with its redirect URI (M2, M30).

    :raises GraphError: 100 with Meta's wording.
    """
    found = box.world.codes.get(code)
    now = box.clock.now()
    if found is None or found.app_id != app.id or (found.igid is not None) != instagram:
        raise GraphError(100, None, "Invalid verification code format.")
    if found.used:
        raise GraphError(100, 36009, "This authorization code has been used.")
    if now - found.at > HOUR:
        raise GraphError(100, 36007, "This authorization code has expired.")
    if not same(redirect_uri, found.redirect_uri):
        wording = "Error validating verification code. Please make sure your redirect_uri is identical"
        raise GraphError(100, 36008, f"{wording} to the one you used in the OAuth dialog request")
    found.used = True
    value = ids.token_value("IGAA" if instagram else "EAA")
    token = box.world.tokens[value] = Token(
        id=f"login-{len(box.world.tokens) + 1}",
        value=value,
        type="IG_USER" if instagram else "USER",
        app_id=app.id,
        user_id=found.user_id,
        scopes=list(found.scopes),
        igid=found.igid,
        issued_at=now,
        expires_at=now + HOUR,
        data_access_expires_at=now + 90 * DAY,
        page_ids=found.page_ids,
    )
    return token


def _client(call: Call) -> App:
    app = call.box.world.apps.get(call.text("client_id"))
    if app is None or not same(call.text("client_secret"), app.secret):
        raise GraphError(1, None, "Error validating client secret.")
    return app


def _longer(call: Call, token: Token, prefix: str) -> Json:
    now, value = call.box.clock.now(), ids.token_value(prefix)
    call.box.world.tokens[value] = Token(
        id=f"{token.id}-longer-{len(call.box.world.tokens)}",
        value=value,
        type=token.type,
        app_id=token.app_id,
        user_id=token.user_id,
        scopes=list(token.scopes),
        igid=token.igid,
        page_ids=token.page_ids,
        issued_at=now,
        expires_at=now + LONG,
        data_access_expires_at=now + 90 * DAY,
    )
    return {"access_token": value, "token_type": "bearer", "expires_in": LONG}
