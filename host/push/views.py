"""Pages of push notifications: a person's devices, the service worker, and the manifest of the web app."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.core import clock
from host.core.db import db
from host.core.errors import InvalidError, NotFoundError
from host.push import composing, devices, sending, vapid
from host.push.composing import PushContent
from host.push.devices import Subscription
from host.push.models import PushDevice
from host.push.vapid import KeyPair
from host.sdk.errors import SecretUnreadableError
from host.web.devices import device_of
from host.web.languages import gettext as _
from host.web.request_helpers import (
    config,
    current_user,
    desk,
    flash_bad,
    flash_good,
    login_required,
    open_to_all,
    passive,
    wants_json,
    write_desk,
)

bp = Blueprint("push", __name__, template_folder="templates")

DEVICES = "/notifications/devices"
ONE = f"{DEVICES}/<int:device_id>"
WORKER = Path(__file__).parents[1] / "static" / "js" / "sw.js"
TEST_LASTS = timedelta(minutes=5)
THEME = "#0b6b63"
SHARED_TYPES = ["image/*", "video/*", "audio/*", "text/*", "application/*"]
"""Types of the files that can be shared to Lobby; the conversation decides which its channel takes."""


@bp.get("/manifest.webmanifest")
@open_to_all
@passive
def manifest() -> ResponseReturnValue:
    """Describe Lobby as an app that phones can install."""
    found = jsonify(
        id="/",
        name=desk().name,
        short_name=desk().name[:12].strip(),
        start_url="/",
        share_target={
            "action": url_for("sharing.not_ready"),
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {
                "title": "title",
                "text": "text",
                "url": "url",
                "files": [{"name": "files", "accept": SHARED_TYPES}],
            },
        },
        scope="/",
        display="standalone",
        background_color="#ffffff",
        theme_color=desk().colour or THEME,
        icons=[
            {
                "src": url_for("static", filename=f"icon-{size}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for size in (192, 512)
            for purpose in ("any", "maskable")
        ],
    )
    found.mimetype = "application/manifest+json"
    found.headers["Cache-Control"] = "no-cache"
    return found


@bp.get("/sw.js")
@open_to_all
@passive
def worker() -> ResponseReturnValue:
    """Return the service worker: one file, so that no two versions of its parts ever meet."""
    found = Response(WORKER.read_bytes(), mimetype="text/javascript")
    found.headers["Content-Security-Policy"] = "default-src 'self'"  # it loads pages and their files
    found.headers["Cache-Control"] = "no-cache"
    return found


@bp.app_template_global("push_sessions")
def push_sessions() -> set[int | None]:
    """Return the sessions of the signed-in person whose browsers get pushes."""
    with db.read() as session:
        return {row.session_id for row in devices.own(session, current_user().id)}


@bp.post(f"{DEVICES}/key")
@login_required
def key() -> ResponseReturnValue:
    """Return the public key with which a browser subscribes."""
    return jsonify(key=db.write(vapid.public_key))


@bp.post(DEVICES)
@login_required
def add() -> ResponseReturnValue:
    """Send the person's pushes to this browser."""
    given = Subscription(*(request.form.get(name, "") for name in ("endpoint", "p256dh", "auth")))
    name = device_of(request.headers.get("User-Agent", "")).words
    hosts = config().push_hosts
    row = write_desk(devices.add, current_user().session_id, given, name=name, more=hosts)
    return jsonify(id=row.id)


@bp.post(f"{DEVICES}/here")
@passive
@login_required
def here() -> ResponseReturnValue:
    """Record that the person has Lobby open in a browser; return its id, null if it is not theirs."""
    row = write_desk(devices.confirm, current_user().session_id, request.form.get("endpoint", ""))
    return jsonify(id=None if row is None else row.id)


@bp.post(f"{DEVICES}/moved")
@passive
@login_required
def moved() -> ResponseReturnValue:
    """Take the new subscription of a device of the person; return its id, null if it is not theirs.

    The service worker calls it when the push service replaced the subscription, and a page if that failed.
    Without a page there is no CSRF token, so this view is exempt. It is safe without: another site is refused
    by its Origin and Sec-Fetch-Site, gets no cookie (SameSite), and would have to know the old endpoint, a
    secret of the browser, its push service and this desk.
    """
    given = Subscription(*(request.form.get(name, "") for name in ("endpoint", "p256dh", "auth")))
    old = request.form.get("old", "")
    if not old:
        raise InvalidError()
    row = write_desk(devices.move, current_user().session_id, old, given, more=config().push_hosts)
    return jsonify(id=None if row is None else row.id)


@bp.post(f"{ONE}/end")
@login_required
def end(device_id: int) -> ResponseReturnValue:
    """Send no more pushes to a device."""
    write_desk(devices.end, device_id)
    flash_good(_("Push notifications are off on that device."), at="push")
    return _back()


@bp.post(f"{ONE}/content")
@login_required
def content(device_id: int) -> ResponseReturnValue:
    """Choose whether pushes to a device show names and text."""
    chosen = request.form.get("content") == "1"
    if not write_desk(devices.set_content, device_id, chosen):
        raise NotFoundError()
    flash_good(_("Saved."), at="push")
    return _back()


@bp.post(f"{ONE}/test")
@login_required
def test(device_id: int) -> ResponseReturnValue:
    """Push a test to a device, and show the answer of its push service."""
    with db.read() as session:
        row, pair = devices.get(session, current_user().id, device_id), _key_pair(session)
    if row is None:
        raise NotFoundError()
    if len(request.form.get("test", "")) > 64:
        raise InvalidError()
    worked, sentence = _tested(row, pair, request.form.get("test", ""))
    if wants_json():
        return jsonify(worked=worked, sentence=sentence)
    (flash_good if worked else flash_bad)(sentence, at="push")
    return _back()


def _key_pair(session: Session) -> KeyPair | None:
    try:
        return vapid.key_pair(session)
    except SecretUnreadableError:
        return None


def _tested(row: PushDevice, pair: KeyPair | None, test_id: str) -> tuple[bool, str]:
    shown = PushContent(
        _("Test from %(desk)s", desk=desk().name),
        _("Push notifications arrive on this device."),
        "lobby-test",
        url_for("notifications.settings"),
        int(clock.now().timestamp() * 1000),
        test=test_id,
    )
    topic = composing.topic(row, shown.tag)
    answer = sending.send_to(row, shown, pair, config(), lasts=TEST_LASTS, topic=topic)
    if answer.ok:
        return True, str(_("The push service accepted the test."))
    if answer.is_gone:
        write_desk(devices.end, row.id)
        return False, str(
            _("This device no longer exists for its push service, so it was removed. Turn it on again.")
        )
    if answer.status is None:
        return False, str(_("The push service did not answer. Try again later."))
    return False, str(_("The push service refused the test (%(status)s).", status=answer.status))


def _back() -> ResponseReturnValue:
    return redirect(f"{url_for('notifications.settings')}#devices", 303)


def own_devices() -> dict[str, Any]:
    """Return the person's devices for their notification settings, and whether a workspace allows content."""
    with db.read() as session:
        return {
            "rows": devices.own(session, current_user().id),
            "content": devices.allows_content(session, current_user().id),
        }


@bp.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["own_devices"] = own_devices
