"""Webhook subscriptions of an app, and its permissions: ``/{app}/subscriptions``, ``/me/permissions``."""

from __future__ import annotations

import time
from typing import Any

import requests

from sandbox import ids, seed
from sandbox.box import Sandbox
from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.world import FIELDS, App, Json


def app_subscriptions(call: Call) -> Json:
    """``GET``, ``POST`` and ``DELETE /{app}/subscriptions`` with the app's own token (M37).

    ``POST`` verifies the address with a challenge first, like the dashboard.
    """
    app = _app(call)
    if call.method == "GET":
        return {"data": [] if app.callback_url is None else [_shown(app)]}
    if call.params.get("object", app.object) != app.object:
        raise GraphError(100, None, f"Param object must be one of {{{app.object}}}")
    if call.method == "DELETE":
        app.callback_url = app.verify_token = None
        return {"success": True}
    url, token, fields = call.text("callback_url"), call.text("verify_token"), call.words("fields")
    for index, name in enumerate(fields):
        if name not in FIELDS[app.object]:
            listed = ", ".join(FIELDS[app.object])
            raise GraphError(100, None, f"Param fields[{index}] must be one of {{{listed}}}")
    outcome = verify(call.box, url, token)
    told = {key: outcome[key] for key in ("verified", "status", "ms")}
    call.box.ledger.add("verification", outcome["answer"], app=app.id, callback_url=url, **told)
    if not outcome["verified"]:
        status = outcome["status"] or 0
        raise GraphError(
            2200,
            None,
            "Callback verification failed with the following errors: "
            f"HTTP Status Code = {status}; HTTP Message = {'No answer' if not status else 'Refused'}",
        )
    with call.box.lock:
        app.callback_url, app.verify_token, app.fields = url, token, sorted(set(fields))
    return {"success": True}


def _app(call: Call) -> App:
    asker = call.app_token(call.given_token())
    if asker is None or asker.app_id != call.node:
        raise GraphError(190, None, "This method must be called with an app access_token.")
    call.token = asker
    return call.box.world.apps[asker.app_id]


def _shown(app: App) -> Json:
    fields = [{"name": name, "version": "v26.0"} for name in app.fields]
    return {"object": app.object, "callback_url": app.callback_url, "active": True, "fields": fields}


def verify(box: Sandbox, url: str, verify_token: str) -> dict[str, Any]:
    """Send *url* a challenge; return its response and whether it was right."""
    challenge = ids.digits("1", 10)
    query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    started = time.monotonic()
    status: int | None = None
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, params=query, timeout=5, allow_redirects=False, verify=box.verify_tls)
        status, text = answer.status_code, answer.text[:500]
    except requests.RequestException as problem:
        text = type(problem).__name__
    return {
        "verified": status == 200 and text == challenge,
        "status": status,
        "answer": text,
        "challenge": challenge,
        "ms": round((time.monotonic() - started) * 1000, 1),
    }


def permissions(call: Call) -> Json:
    """``GET /me/permissions``: the permissions granted and declined by the token's user (M31).

    ``DELETE /me/permissions/{permission}`` revokes one, or all of them without a name.
    """
    token = call.token
    assert token is not None
    every = seed.SCOPES_I if token.type == "IG_USER" else seed.SCOPES_F
    if call.method == "GET":
        states = {name: "granted" if name in token.scopes else "declined" for name in every}
        return {"data": [{"permission": name, "status": status} for name, status in states.items()]}
    gone = call.path[2:] or list(every)
    for one in call.box.world.tokens.values():
        if one.user_id == token.user_id and one.app_id == token.app_id:
            one.scopes = [name for name in one.scopes if name not in gone]
    return {"success": True}
