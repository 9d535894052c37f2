"""Media calls: uploading, the address of a file, deleting it, and downloading from the address (W2)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request

from sandbox.box import Sandbox
from sandbox.errors import missing_object
from sandbox.graph.call import Call, token_problem
from sandbox.whatsapp import files
from sandbox.whatsapp.errors import cloud_error, invalid
from sandbox.whatsapp.send import permitted
from sandbox.whatsapp.world import MediaFile
from sandbox.world import Json

bp = Blueprint("whatsapp_media", __name__)
PATH = "/lookaside.fbsbx.com/whatsapp_business/attachments/"
MESSAGING = "whatsapp_business_messaging"
_KEY = secrets.token_bytes(16)


def upload(call: Call) -> Json:
    """``POST /{phone_number_id}/media`` as multipart: ``file``, ``type``, ``messaging_product``."""
    world = call.box.whatsapp
    number = world.numbers[call.node]
    permitted(call, world.accounts[number.waba_id], MESSAGING)
    if call.params.get("messaging_product") != "whatsapp":
        raise invalid("The parameter messaging_product is required.")
    part = request.files.get("file")
    if part is None:
        raise invalid("The parameter file is required.")
    data, named = part.read(), part.filename
    declared = part.mimetype or "application/octet-stream"
    part.close()
    mime_type = call.text("type", declared) if "/" in call.text("type", declared) else declared
    kind = files.kind_of(mime_type)
    if kind is None:
        listed = ", ".join(each for _, types in files.TYPES.values() for each in types)
        expected = f"Param file must be a file with one of the following types: {listed}."
        raise invalid(f"{expected} Received file of type '{mime_type}'.")
    most = files.TYPES[kind][0]
    if not data or len(data) > most:
        raise cloud_error(
            131053, f"Media file size too big. Max file size we currently support: {most} bytes."
        )
    if why := files.problem(mime_type, data):
        raise cloud_error(131053, f"Media upload error: {why}.")
    until = call.box.clock.now() + files.UPLOADED_FOR
    kept = files.keep(world, number.id, mime_type, data, expires_at=until, filename=named)
    return {"id": kept.id}


def _file(call: Call) -> MediaFile:
    world = call.box.whatsapp
    kept = world.media[call.node]
    number_id = call.text("phone_number_id", kept.number_id)
    if kept.gone or call.box.clock.now() >= kept.expires_at or number_id != kept.number_id:
        raise missing_object(call.node)
    permitted(call, world.accounts[world.numbers[kept.number_id].waba_id], MESSAGING)
    return kept


def read(call: Call) -> Json:
    """``GET /{media_id}``: an address that works for five minutes."""
    kept = _file(call)
    return {
        "url": url(call.box, kept),
        "mime_type": files.plain_type(kept.mime_type),
        "sha256": hashlib.sha256(kept.data).hexdigest(),
        "file_size": len(kept.data),
        "id": kept.id,
        "messaging_product": "whatsapp",
    }


def delete(call: Call) -> Json:
    """``DELETE /{media_id}``."""
    _file(call).gone = True
    return {"success": True}


def url(box: Sandbox, kept: MediaFile) -> str:
    """Return the address of a file, valid for five minutes."""
    until = int(box.clock.now() + files.URL_SECONDS)
    query = {"mid": kept.id, "source": "getMedia", "ext": until, "hash": _hash(kept.id, until)}
    return f"{box.media.base_url}{PATH}?{urlencode(query)}"


def _hash(media_id: str, until: int) -> str:
    return hmac.new(_KEY, f"{media_id}:{until}".encode(), hashlib.sha256).hexdigest()[:32]


@bp.get(PATH)
def download() -> Response:
    """Serve a file to who holds a token; 404 after five minutes, and once the file is gone."""
    box: Sandbox = current_app.config["SANDBOX"]
    head = request.headers.get("Authorization", "")
    media_id, until = request.args.get("mid", ""), request.args.get("ext", "0")
    with box.lock:
        token = box.world.tokens.get(head[7:].strip()) if head[:7].lower() == "bearer " else None
        kept = box.whatsapp.media.get(media_id)
        now = box.clock.now()
        allowed = token is not None and token_problem(box, token) is None and token.waba_ids is not None
    rule = box.faults.draw("download", ("error", "garbage"), "attachments", token=token.id if token else None)
    right = until.isdigit() and hmac.compare_digest(_hash(media_id, int(until)), request.args.get("hash", ""))
    status = 200
    if not allowed:
        status = 401
    elif kept is None or kept.gone or not right or now >= int(until) or now >= kept.expires_at:
        status = 404
    elif rule is not None and rule.action == "error":
        status = int(rule.options.get("status", 500))
    box.ledger.add(
        "call", call="download", method="GET", path=PATH, status=status, token=token.id if token else None
    )
    if status != 200 or kept is None:
        return Response(status=status)
    if rule is not None:
        return Response(str(rule.options.get("text", "<!doctype html>")), mimetype="text/html")
    response = Response(kept.data, content_type=kept.mime_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
