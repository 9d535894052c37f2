"""The HTTP layer of the Graph API: reading calls, faults, usage headers, the ledger."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, current_app, request

from sandbox.box import Sandbox
from sandbox.errors import GraphError
from sandbox.faults import Rule
from sandbox.graph import dispatch, versions
from sandbox.graph.call import Call
from sandbox.world import Flavour, Json

bp = Blueprint("graph", __name__)
METHODS = ["GET", "POST", "DELETE"]
SECRETS = ("access_token", "appsecret_proof", "client_secret", "fb_exchange_token", "input_token")
MAX_BODY = 30 * 1024 * 1024
AFTERWARDS = "sandbox.afterwards"
BATCH = 50
"""Maximum number of calls in a batch (docs/graph-api/batch-requests)."""


@bp.route("/graph.facebook.com/", defaults={"path": ""}, methods=METHODS)
@bp.route("/graph.facebook.com/<path:path>", methods=METHODS)
def facebook(path: str) -> Response:
    """Answer a call of road F."""
    return _serve(Flavour.F, path)


@bp.route("/graph.instagram.com/", defaults={"path": ""}, methods=METHODS)
@bp.route("/graph.instagram.com/<path:path>", methods=METHODS)
def instagram(path: str) -> Response:
    """Answer a call of road I."""
    return _serve(Flavour.I, path)


def _serve(flavour: Flavour, path: str) -> Response:
    box: Sandbox = current_app.config["SANDBOX"]
    started = time.monotonic()
    parts, version = _path(path)
    call = Call(box, flavour, request.method, parts, dict(request.args), {})
    call.version = version
    try:
        _read(call)
    except GraphError as error:
        body, status = error.answer(flavour)
        return _answer(call, "other", None, body=body, status=status, started=started)
    if not parts and call.method == "POST" and "batch" in call.params:
        return _batch(call, started)
    name, rule, body, status = _do(call)
    return _answer(call, name, rule, body=body, status=status, started=started)


def _path(path: str) -> tuple[list[str], str]:
    """Return the parts of a path without its version, and the version that answers.

    Like Meta, it treats a version that never existed as an object's name.
    """
    parts = [part for part in path.split("/") if part]
    if parts and (answering := versions.answering(parts[0])) is not None:
        return parts[1:], answering
    return parts, versions.unversioned()


def _do(call: Call) -> tuple[str, Rule | None, Any, int]:
    """Run a call; return its name for faults, the fault that hit it, body and status."""
    box = call.box
    parts = call.path
    name, rule = "other", None
    try:
        with box.lock:
            name, handler, needs_token = dispatch.find(call)
        if needs_token:
            with box.lock:
                call.authenticate()
        rule = _draw(call, name, "/".join(parts))
        if rule is not None and rule.action != "usage" and rule.when == "before":
            body, status = _misbehave(call, rule)
        else:
            body, status = _handle(call, handler), 200
            for early in call.early:
                early()
            if rule is not None and rule.action != "usage":
                body, status = _misbehave(call, rule)
    except GraphError as error:
        body, status = call.answer_error(error, call.flavour)
    return name, rule, body, status


def _batch(call: Call, started: float) -> Response:
    """Run several calls; each has its status, headers and body as text (docs/graph-api/batch-requests)."""
    wanted = call.structure("batch")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= BATCH:
        error = GraphError(100, None, f"Param batch must be a list of 1 to {BATCH} requests")
        body, status = error.answer(call.flavour)
        return _answer(call, "other", None, body=body, status=status, started=started)
    answers: list[Json | None] = []
    for one in wanted:
        part = _part_of_batch(call, one if isinstance(one, dict) else {})
        name, rule, body, status = _do(part)
        if part.facts.pop("withheld", None):
            answers.append(None)  # a call that takes too long is null in a batch
        else:
            headers = [
                {"name": "Content-Type", "value": "application/json"},
                {"name": "facebook-api-version", "value": part.version},
            ]
            headers += [{"name": name, "value": value} for name, value in _challenge(body).items()]
            answers.append({"code": status, "headers": headers, "body": json.dumps(body, ensure_ascii=True)})
        _note_answer(part, answers[-1] is not None, rule)
        _keep_in_ledger(part, name, body, status, started)
        call.after += part.after
    return _answer(call, "batch", None, body=answers, status=200, started=started)


def _part_of_batch(call: Call, one: Json) -> Call:
    """Return one call of a batch; its token defaults to the batch's."""
    address = urlsplit(str(one.get("relative_url") or ""))
    parts, version = _path(address.path)
    query = dict(parse_qsl(address.query))
    part = Call(call.box, call.flavour, str(one.get("method") or "GET").upper(), parts, query, {})
    given = one.get("body")
    form = given if isinstance(given, dict) else dict(parse_qsl(given)) if isinstance(given, str) else {}
    part.params = {**query, **form}
    part.version = version if versions.NAME.match(address.path.lstrip("/").split("/")[0]) else call.version
    part.bearer = None if part.raw_token() else call.raw_token()
    return part


def _challenge(body: Any) -> dict[str, str]:
    """Return the ``WWW-Authenticate`` header of an error, which Meta sets whatever the status."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return {}
    kind = "invalid_token" if error["code"] == 190 else "invalid_request"
    return {"WWW-Authenticate": f'OAuth "Facebook Platform" "{kind}" {json.dumps(error["message"])}'}


def _handle(call: Call, handler: dispatch.Handler) -> Json:
    if handler in dispatch.UNLOCKED:
        return handler(call)
    with call.box.lock:
        return handler(call)


def _read(call: Call) -> None:
    """Collect parameters: query, then form or JSON body (M5)."""
    head = request.headers.get("Authorization", "")
    if head[:7].lower() == "bearer ":
        call.bearer = head[7:].strip()
    call.params = dict(call.query)
    if request.is_json:
        raw = request.get_data()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            raise GraphError(100, None, "The request body is not valid JSON") from None
        if isinstance(body, list) and call.edge == "subscribed_apps":
            body = {"subscribed_fields": body}
        if not isinstance(body, dict):
            raise GraphError(100, None, "The request body must be a JSON object")
        call.params.update(body)
    else:
        call.params.update(request.form.to_dict())
        filedata = request.files.get("filedata")
        if filedata is not None:
            call.upload = (filedata.mimetype, filedata.read())
            filedata.close()


def _draw(call: Call, name: str, path: str) -> Rule | None:
    recipient = call.structure("recipient") if name == "send" else None
    message = call.structure("message") if name == "send" else None
    token = call.token
    customer = recipient.get("id") if isinstance(recipient, dict) else None
    facts: dict[str, str | None] = {
        "customer": str(customer) if customer else (call.node if name == "profile" else None),
        "account": token.igid if token else None,
        "app": token.app_id if token else None,
        "token": token.id if token else None,
        "text": message.get("text") if isinstance(message, dict) else None,
        "method": call.method,
        **call.about,
    }
    return call.box.faults.draw(name, ("error", "timeout", "reset", "garbage", "usage"), path, **facts)


def _misbehave(call: Call, rule: Rule) -> tuple[Any, int]:
    """Respond as a fault demands. If the call was accepted, the echo is sent anyway."""
    options = rule.options
    call.facts["fault"] = rule.id
    if rule.action == "error":
        status = options.get("status")
        if "code" not in options:
            return "", status or 500
        error = GraphError(
            options["code"],
            options.get("subcode"),
            options.get("message"),
            status,
            options.get("type"),
        )
        return call.answer_error(error, call.flavour)
    if rule.action == "garbage":
        return options.get("text", "<!doctype html><title>Sorry</title>"), options.get("status", 200)
    call.facts["withheld"] = rule.action
    _note_answer(call, False, rule)
    _run_after(call)
    if rule.action == "timeout":
        call.box.stopping.wait(float(options.get("seconds", 30)))
        return "", 504
    _cut()
    return "", 502


def _note_answer(call: Call, answered: bool, rule: Rule | None = None) -> None:
    entry = call.facts.pop("entry", None)
    if entry is not None:
        call.facts["accepted"] = entry.id
        extra: Json = {"fault": rule.id} if rule else {}
        call.box.ledger.amend(entry, answered=answered, **extra)


def _run_after(call: Call) -> None:
    pending, call.after = call.after, []
    for later in pending:
        later()


def after_answer(environ: dict[str, Any]) -> None:
    """Run the work left for after the response to a request, even if the client disconnected; only once."""
    later = environ.pop(AFTERWARDS, None)
    if later is not None:
        later()


def _keep(call: Call, promised: int) -> None:
    try:
        _run_after(call)
    finally:
        call.box.courier.kept(promised)


def _cut() -> None:
    """Reset the connection instead of answering."""
    raw = request.environ.get("werkzeug.socket")
    if isinstance(raw, socket.socket):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.shutdown(socket.SHUT_RDWR)


def _answer(call: Call, name: str, rule: Rule | None, *, body: Any, status: int, started: float) -> Response:
    box = call.box
    response = Response(status=status)
    if isinstance(body, str):
        response.data, response.mimetype = body, "text/html"
    else:
        response.data = json.dumps(body, ensure_ascii=True)
        response.mimetype = "application/json"
    withheld = call.facts.pop("withheld", None)
    spoilt = "fault" in call.facts
    _note_answer(call, withheld is None and not spoilt, rule if spoilt else None)
    response.headers["facebook-api-version"] = call.version
    response.headers.update(_challenge(body))
    _usage_headers(call, rule, response)
    if rule is not None and rule.action == "error":
        response.headers.update({k: str(v) for k, v in rule.options.get("headers", {}).items()})
    if rule is not None and rule.action == "usage":
        call.facts["fault"] = rule.id
    if withheld:
        call.facts["withheld"] = withheld
    _keep_in_ledger(call, name, body, status, started)
    if call.after:
        environ = request.environ
        promised = box.courier.promise()
        # Also for the server, which does not close a response whose client disconnected.
        environ[AFTERWARDS] = lambda: _keep(call, promised)
        response.call_on_close(lambda: after_answer(environ))
    return response


def _keep_in_ledger(call: Call, name: str, body: Any, status: int, started: float) -> None:
    error = body.get("error") if isinstance(body, dict) else None
    withheld = call.facts.pop("withheld", None)
    call.box.ledger.add(
        "call",
        _exchange(call, body),
        call=name,
        flavour=str(call.flavour),
        method=call.method,
        path="/" + "/".join(call.path),
        status=None if withheld else status,
        withheld=withheld,
        code=error.get("code") if isinstance(error, dict) else None,
        subcode=error.get("error_subcode") if isinstance(error, dict) else None,
        token=call.token.id if call.token else None,
        ms=round((time.monotonic() - started) * 1000, 1),
        **call.facts,
    )


def _exchange(call: Call, body: Any) -> str:
    """Return request and response for the ledger, without tokens or secrets."""
    told: Json = {"answer": _masked(body)}
    if call.method != "GET":
        told = {"request": _masked(call.params), **told}
    return json.dumps(told)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "***" if key in SECRETS else _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return value


def _usage_headers(call: Call, rule: Rule | None, response: Response) -> None:
    """Add ``X-App-Usage`` and ``X-Business-Use-Case-Usage``, in percent and minutes (M25)."""
    token = call.token
    if token is None:
        return
    forced = rule.options if rule is not None and rule.action == "usage" else {}
    with call.box.lock:
        app_share = call.box.usage(token.app_id, call.flavour)
        waba = next(iter(token.waba_ids or ()), None)
        business = waba or token.igid or token.page_id or token.user_id or token.app_id
        share = call.box.usage(business, call.flavour)
    app_share = int(forced.get("percent", app_share))
    share = int(forced.get("percent", share))
    minutes = int(forced.get("minutes", 0))
    response.headers["X-App-Usage"] = json.dumps(
        {"call_count": app_share, "total_time": app_share // 2, "total_cputime": app_share // 2},
        separators=(",", ":"),
    )
    case = {
        "type": "whatsapp" if waba else "instagram",
        "call_count": share,
        "total_cputime": share // 2,
        "total_time": share // 2,
        "estimated_time_to_regain_access": minutes,
    }
    response.headers["X-Business-Use-Case-Usage"] = json.dumps({business: [case]}, separators=(",", ":"))
