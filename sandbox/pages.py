"""The phone page, its JSON, its stream, and the media the sandbox serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, request, send_from_directory

from sandbox import catalogue, phone
from sandbox.box import Sandbox
from sandbox.media import picture

STATIC = Path(__file__).parent / "static"

bp = Blueprint("pages", __name__)


def _box() -> Sandbox:
    found: Sandbox = current_app.config["SANDBOX"]
    return found


CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@bp.after_request
def harden(response: Response) -> Response:
    """Set the strict policy on every response a browser may render."""
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.get("/")
@bp.get("/phone")
def page() -> Response:
    """Serve the phone page."""
    return send_from_directory(STATIC, "phone.html")


@bp.get("/static/<path:name>")
def static_file(name: str) -> Response:
    """Serve stylesheet and modules."""
    return send_from_directory(STATIC, name)


@bp.get("/phone/view")
def phone_view() -> Response:
    """Return the content of the page."""
    return jsonify(phone.view(_box(), request.args.get("customer")))


@bp.get("/phone/kinds")
def kinds() -> Response:
    """Return all kinds of messages that have a button."""
    return jsonify(catalogue.show())


@bp.get("/phone/stream")
def stream() -> Response:
    """Notify the page of changes, as server-sent events."""
    box = _box()

    def versions() -> Iterator[str]:
        seen = -1
        while not box.stopping.is_set():
            version = box.ledger.wait_beyond(seen, 15)
            yield f"data: {version}\n\n" if version > seen else ": still here\n\n"
            seen = version

    response = Response(versions(), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/media/profile/<igsid>.png")
def profile_picture(igsid: str) -> Response:
    """Serve a generated picture of a person."""
    return Response(picture(igsid), mimetype="image/png")


@bp.get("/media/<asset_id>")
def media(asset_id: str) -> Response:
    """Serve an asset while its signature is valid and it has not expired; else 404 (M2, M14)."""
    box = _box()
    with box.lock:
        asset = box.media.find(asset_id, request.args.get("signature", ""))
    if asset is None:
        return Response("URL signature expired", status=404, mimetype="text/plain")
    response = Response(asset.content(), mimetype=asset.content_type)
    response.headers["Cache-Control"] = "private, max-age=60"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
