"""A stand-in for a WooCommerce shop: its REST API of orders, and signed webhooks.

``python -m sandbox.shop [--port 9446]`` runs it alone. It keeps to what
https://woocommerce.github.io/woocommerce-rest-api-docs/ says of the calls the addon makes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

KEY = "ck_sandbox0000000000000000000000000000000001"
SECRET = "cs_sandbox0000000000000000000000000000000001"  # noqa: S105 - of the stand-in
WEBHOOK_SECRET = "a secret of the shop's webhooks"  # noqa: S105 - of the stand-in

API = "/wp-json/wc/v3"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing: addresses of requests hold those of customers."""


class Shop:
    """A shop on a port of this machine.

    :ivar orders: as the API returns them, oldest first.
    :ivar refuse: statuses of the next answers, such as 503.
    :ivar asked: the query of each search for orders.
    :ivar answers: the next answers, in place of its own.
    :ivar may_answer: cleared to leave requests waiting.
    :ivar may_read: whether the key has the permission *Read*.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.orders: list[dict[str, Any]] = []
        self.refuse: list[int] = []
        self.asked: list[dict[str, str]] = []
        self.answers: list[Response] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.may_read = True
        self._server = make_server(host, port, self._app(), threaded=True, request_handler=_Quiet)
        self.port = int(self._server.socket.getsockname()[1])
        self.url = f"http://{host}:{self.port}"

    def add(self, email: str, *items: tuple[int, str, str], status: str = "processing") -> dict[str, Any]:
        """Add an order.

        :param items: quantity, name and price of each.
        """
        number = 1001 + len(self.orders)
        lines = [
            {"id": at, "name": name, "quantity": quantity, "total": price}
            for at, (quantity, name, price) in enumerate(items, 1)
        ]
        order = {
            "id": number,
            "number": str(number),
            "status": status,
            "currency": "EUR",
            "total": f"{sum(float(price) for _, _, price in items):.2f}",
            "date_created_gmt": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
            "date_paid_gmt": None,
            "date_modified_gmt": None,
            "billing": {"first_name": "", "last_name": "", "email": email, "phone": ""},
            "customer_note": "",
            "payment_url": f"{self.url}/checkout/order-pay/{number}/",
            "line_items": lines,
        }
        self.orders.append(order)
        return order

    def webhook(self, topic: str, order: dict[str, Any], to: str, secret: str = WEBHOOK_SECRET) -> int:
        """Post *order* to *to* as a webhook and return the status of the answer."""
        body = json.dumps(order).encode()
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {
            "Content-Type": "application/json",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-Source": self.url,
        }
        call = urllib.request.Request(to, body, headers, method="POST")  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(call, timeout=10) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def start(self) -> Shop:
        """Serve from a thread."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def _app(self) -> Flask:
        app = Flask("shop", static_folder=None)

        @app.before_request
        def before() -> Response | None:
            self.may_answer.wait()
            return self.answers.pop(0) if self.answers else None

        @app.get(f"{API}/orders")
        def orders() -> Response | tuple[Response, int]:
            if self.refuse:
                return jsonify(code="internal_server_error", message="Refused"), self.refuse.pop(0)
            login = request.authorization
            if login is None or login.username != KEY:
                return jsonify(
                    code="woocommerce_rest_cannot_view", message="Sorry, you cannot list resources."
                ), 401
            refused = None if login.password == SECRET else "Consumer secret is invalid."
            if refused is None and not self.may_read:
                refused = "The API key provided does not have read permissions."
            if refused is not None:
                return jsonify(code="woocommerce_rest_authentication_error", message=refused), 401
            self.asked.append(request.args.to_dict())
            wanted = request.args.get("search", "").lower()
            found = [one for one in reversed(self.orders) if wanted in json.dumps(one).lower()]
            found = found[: request.args.get("per_page", 10, int)]
            fields = request.args.get("_fields")
            return jsonify(
                [{name: one[name] for name in fields.split(",")} for one in found] if fields else found
            )

        return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.shop", description="A stand-in for WooCommerce.")
    parser.add_argument("--port", type=int, default=9446)
    options = parser.parse_args()
    shop = Shop(port=options.port)
    shop.add("ana@example.com", (2, "Blue mug", "36.00"))
    print(f"shop listening on {shop.url}; key {KEY}, secret {SECRET}", flush=True)
    shop.serve_forever()


if __name__ == "__main__":
    main()
