"""The webhooks of the shop: orders that were created or changed, for rules and notes.

See https://woocommerce.com/document/webhooks/. The address names the workspace, the signature proves the
shop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime

import sqlalchemy as sa
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.sdk import clock, db, desk
from host.sdk.i18n import noop, translate

from .models import ShopOrder
from .shops import language_of, webhook_secret_of
from .woocommerce import Order, changed_at, is_paid, parsed

MAX_BYTES = 512 * 1024
MOST_NOTES = 3
"""Most conversations that get a note about one order."""
MOST_DIGITS = 18
PAID = noop("Order %(number)s was paid: %(sum)s.")

bp = Blueprint("shop_webhook", __name__)


@bp.post("/webhook")
def receive() -> ResponseReturnValue:
    """Store the state of an order, and note a payment in the customer's open conversations."""
    body = request.get_data(cache=False) if (request.content_length or 0) <= MAX_BYTES else b""
    if not body or len(body) > MAX_BYTES:
        return {"error": "a webhook is JSON of at most 512 KB"}, 413
    workspace = request.args.get("workspace", "")
    if not workspace.isascii() or not workspace.isdigit() or len(workspace) > MOST_DIGITS:
        return {"error": "the address needs ?workspace=<number>"}, 400
    if not request.headers.get("X-WC-Webhook-Signature") and body.startswith(b"webhook_id="):
        return {"ok": True}  # the shop tries the address when the webhook is saved
    secret = webhook_secret_of(int(workspace))
    given = request.headers.get("X-WC-Webhook-Signature", "")
    wanted = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    if not secret or not hmac.compare_digest(given.encode(), wanted.encode()):
        return {"error": "the signature is wrong"}, 401
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return {"error": "the body is not JSON"}, 400
    order = parsed(raw)
    if order is None or not order.email or not 0 < order.id < 2**63:
        return {"ok": True}  # another topic, or an order of nobody we could find
    paid = is_paid(raw)
    # Noted first: if the process dies in between, the next webhook of the order notes it, once.
    if paid and not _was_paid(int(workspace), order.id):
        _note(int(workspace), order)
    told = int(workspace), order, paid, changed_at(raw) or clock.now()
    try:
        db.write(_keep, *told)
    except sa.exc.IntegrityError:
        # Two webhooks of a new order came at once: the row of the other one is there now.
        db.write(_keep, *told)
    return {"ok": True}


def _was_paid(workspace_id: int, order_id: int) -> bool:
    with db.read() as session:
        row = session.get(ShopOrder, (workspace_id, order_id))
        return row is not None and bool(row.is_paid)


def _keep(session: Session, workspace_id: int, order: Order, paid: bool, at: datetime) -> None:
    """Store the state of an order unless a newer one is stored.

    A workspace that does not exist has no secret, so it does not come here.
    """
    row = session.get(ShopOrder, (workspace_id, order.id), with_for_update=True)
    if row is None:
        row = ShopOrder(workspace_id=workspace_id, order_id=order.id, is_paid=False)
        session.add(row)
    elif row.changed_at > at:
        return
    row.is_open, row.email_hash, row.changed_at = order.is_open, hashed(order.email), at
    row.is_paid = row.is_paid or paid


def _note(workspace_id: int, order: Order) -> None:
    own = desk.of("shop")
    text = translate(language_of(workspace_id), PAID, number=order.number, sum=order.sum)
    found = own.find_conversations(workspace_id, email=order.email, status="open", limit=MOST_NOTES)
    for one in found:
        own.add_note(one.id, text, key=f"paid-{workspace_id}-{order.id}-{one.id}")


def hashed(email: str) -> str:
    """Return the hash under which an address is stored."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def with_open_orders(session: Session, asked: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Return those of *asked*, pairs of workspace and address, that have an open order."""
    by_hash = {hashed(email): email for _, email in asked}
    query = sa.select(ShopOrder.workspace_id, ShopOrder.email_hash).where(
        ShopOrder.email_hash.in_(list(by_hash)), ShopOrder.is_open
    )
    return {(workspace_id, by_hash[found]) for workspace_id, found in session.execute(query)} & asked
