"""A stand-in for the Cloud API on a loopback port, and a desk with one number connected.

It keeps to what https://developers.facebook.com/documentation/business-messaging/whatsapp/ says of the calls
that the addon makes.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from host.authoring.desk import TrialDesk, trial_desk
from host.sdk import clock
from host.sdk.channel import AccountRef

NUMBER, BUSINESS, APP = "106540352242922", "102290129340398", "634974688087057"
PORTFOLIO = "506914307656634"
TOKEN, SECRET = "EAAsampleTokenOfTheStandIn0001", "0123456789abcdef0123456789abcdef"
PUBLIC = "https://desk.example.com"
PHONES = itertools.count(16505551000)
SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]


def template(id_: str, name: str, *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"language": "en_US", "status": "APPROVED", "category": "UTILITY", **more}
    return {"id": id_, "name": name, "components": list(components), **about}


TEMPLATES = [
    template(
        "9001",
        "order_shipped",
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["A-17"]}},
        {
            "type": "BODY",
            "text": "Hello {{1}}, your order is on its way. It arrives {{2}}.",
            "example": {"body_text": [["Zoe", "on Monday"]]},
        },
        {"type": "FOOTER", "text": "Sample Pottery"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Thanks"},
                {"type": "URL", "text": "Track it", "url": "https://shop.example/{{1}}", "example": ["17"]},
                {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+15550783881"},
            ],
        },
    ),
    template(
        "9002",
        "spring_sale",
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://cdn.example/x"]}},
        {
            "type": "BODY",
            "text": "{{first_name}}, our sale begins.",
            "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Zoe"}]},
        },
        category="MARKETING",
        parameter_format="NAMED",
    ),
    template("9003", "old_offer", {"type": "BODY", "text": "Nobody liked this."}, status="PAUSED"),
    template(
        "9004",
        "login_code",
        {"type": "BODY", "text": "{{1}} is your code."},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]},
        category="AUTHENTICATION",
    ),
    template("9005", "of_next_year", {"type": "BODY", "text": "New"}, {"type": "CAROUSEL", "cards": []}),
]


Refusal = tuple[int, int, str] | None


class WhatsApp:
    """The stand-in: one number, what was sent, the files of messages, and where it delivers.

    :ivar sent: the fields of each message it took; *read*: of each call that marked one as read.
    :ivar refuse: answers for the next calls of a path's last part: (status, code, words), or None to cut the
        connection after the request was read; a tuple of one is for every call. *lost*: how many of the next
        messages it takes without an answer.
    """

    def __init__(self) -> None:
        self.token, self.secret, self.scopes = TOKEN, SECRET, SCOPES
        self.app_webhook: dict[str, str] = {}
        self.unknown_fields: set[str] = set()
        self.override: dict[str, str] | None = None
        self.sent: list[dict[str, Any]] = []
        self.read: list[dict[str, Any]] = []
        self.controlled: list[dict[str, Any]] = []
        self.uploads: dict[str, tuple[str, bytes]] = {}
        self.files: dict[str, bytes] = {}
        self.refuse: dict[str, list[Refusal] | tuple[Refusal]] = {}
        self.number = 100
        self.lost = 0
        standing_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.handle_call(b"")

            def do_POST(self) -> None:
                self.handle_call(self.rfile.read(int(self.headers.get("content-length", 0))))

            def handle_call(self, body: bytes) -> None:
                place = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(place.query).items()}
                last = place.path.rpartition("/")[2]
                refused = standing_in.refuse.get(last) or [(0, 0, "")]
                step = refused.pop(0) if isinstance(refused, list) else refused[0]
                if step is None:
                    self.close_connection = True
                    return
                bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
                if place.path.startswith("/files/"):
                    known = bearer == standing_in.token and last in standing_in.files
                    self.answer(200 if known else 401, standing_in.files.get(last, b"{}") if known else b"{}")
                    return
                status, code, words = step
                if not status:
                    status, code, words = standing_in.wrong(bearer, query)
                if status:
                    error = {"message": words, "type": "OAuthException", "code": code}
                    self.answer(status, json.dumps({"error": error}).encode())
                    return
                found = standing_in.call(self.command, place.path, query, self.headers, body)
                if standing_in.lost and last == "messages":
                    standing_in.lost -= 1
                    self.close_connection = True
                    return
                if found is None:
                    error = {"message": "Unsupported request", "type": "GraphMethodException", "code": 100}
                    self.answer(400, json.dumps({"error": error}).encode())
                    return
                self.answer(200, json.dumps(found).encode())

            def answer(self, status: int, data: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: pytest shows what fails."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wrong(self, bearer: str, query: dict[str, str]) -> tuple[int, int, str]:
        """Return why a call is refused for its credentials: status, code and words."""
        if bearer == f"{APP}|{self.secret}":
            return 0, 0, ""
        if bearer != self.token:
            return 401, 190, "Error validating access token"
        proof = hmac.new(self.secret.encode(), bearer.encode(), hashlib.sha256).hexdigest()
        if query.get("appsecret_proof", proof) != proof:
            return 400, 100, "Invalid appsecret_proof provided in the API argument"
        return 0, 0, ""

    def call(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Any:
        """Return the answer to a call; None: there is no such thing."""
        _root, _version, *rest = path.split("/")
        given = json.loads(body) if body and headers.get_content_type() == "application/json" else {}
        match method, rest:
            case "GET", ["debug_token"]:
                data = {"app_id": APP, "is_valid": True, "scopes": self.scopes, "expires_at": 0}
                return {"data": data}
            case "GET", [one] if one == NUMBER:
                name = {"display_phone_number": "+1 555-078-3881", "verified_name": "Sample Pottery"}
                return {"id": NUMBER, "quality_rating": "GREEN", **name}
            case "GET", [one, "phone_numbers"] if one == BUSINESS:
                return {"data": [{"id": NUMBER, "display_phone_number": "+1 555-078-3881"}]}
            case "GET", [one, "owned_whatsapp_business_accounts"] if one == PORTFOLIO:
                return {"data": [{"id": BUSINESS}]}
            case "GET", [one, "subscriptions"] if one == APP:
                fields = [{"name": name} for name in self.app_webhook.get("fields", "").split(",") if name]
                told = {
                    "callback_url": self.app_webhook.get("callback_url"),
                    "active": True,
                    "fields": fields,
                }
                return {"data": [{"object": "whatsapp_business_account", **told}] if self.app_webhook else []}
            case "POST", [one, "subscriptions"] if one == APP:
                if set(given["fields"].split(",")) & self.unknown_fields:
                    return None
                self.app_webhook = given
                return {"success": True}
            case "GET", [one, "subscribed_apps"] if one == BUSINESS:
                if self.override is None:
                    return {"data": []}
                uri = self.override.get("override_callback_uri")
                more = {"override_callback_uri": uri} if uri else {}
                return {"data": [{"whatsapp_business_api_data": {"id": APP, "name": "App"}, **more}]}
            case "GET", [one, "message_templates"] if one == BUSINESS:
                return self._templates(int(query.get("after", "0")))
            case "GET", [one] if any(each["id"] == one for each in TEMPLATES):
                return next(each for each in TEMPLATES if each["id"] == one)
            case "POST", [one, "subscribed_apps"] if one == BUSINESS:
                self.override = given
                return {"success": True}
            case "POST", [one, "messages"] if one == NUMBER and given.get("status") == "read":
                self.read.append(given)
                return {"success": True}
            case "POST", [one, "messages"] if one == NUMBER:
                return self._take(given)
            case "POST", [one, "thread_control"] if one == NUMBER:
                self.controlled.append(given)
                return {"messaging_product": "whatsapp"}
            case "POST", [one, "media"] if one == NUMBER:
                return self._keep(headers, body)
            case "GET", [media] if media in self.files:
                return {"url": f"http://{self.address}/files/{media}", "mime_type": "image/jpeg", "id": media}
        return None

    def _templates(self, after: int) -> Any:
        """Return a page of two templates."""
        more = {"next": "https://graph.facebook.com/next"} if after + 2 < len(TEMPLATES) else {}
        return {
            "data": TEMPLATES[after : after + 2],
            "paging": {"cursors": {"after": str(after + 2)}, **more},
        }

    def _take(self, given: dict[str, Any]) -> Any:
        self.number += 1
        self.sent.append(given)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.OUT{self.number}"}]}

    def _keep(self, headers: Any, body: bytes) -> Any:
        head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + body).get_payload():
            if part.get_filename() is not None:
                self.number += 1
                self.uploads[str(self.number)] = (part.get_content_type(), part.get_payload(decode=True))
        return {"id": str(self.number)}


class Customer:
    """Somebody who writes to the number, as Meta tells of it."""

    def __init__(self, desk: TrialDesk, whatsapp: WhatsApp, phone: str) -> None:
        self.desk = desk
        self.whatsapp = whatsapp
        self.phone = phone
        self.count = 0

    def value(self, *, field: str = "messages", **parts: Any) -> dict[str, Any]:
        """Return a delivery with *parts* of its value."""
        metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **parts}
        entry = {"id": BUSINESS, "changes": [{"field": field, "value": value}]}
        return {"object": "whatsapp_business_account", "entry": [entry]}

    def message(self, **said: Any) -> dict[str, Any]:
        """Return a delivery of one message; *said* replaces or adds fields."""
        self.count += 1
        message = {
            "from": self.phone,
            "id": f"wamid.IN{self.phone}{self.count}",
            "timestamp": str(int(clock.now().timestamp()) - 1000 + self.count),
            **said,
        }
        contact = {"profile": {"name": "Ann Lee"}, "wa_id": self.phone}
        return self.value(contacts=[contact], messages=[message])

    def status(self, state: str, sent: str, **more: Any) -> dict[str, Any]:
        """Return a delivery of a report about a message of ours."""
        at = str(int(clock.now().timestamp()))
        told = {"id": sent, "status": state, "timestamp": at, "recipient_id": self.phone, **more}
        return self.value(statuses=[told])

    def deliver(self, told: object, *, secret: str | None = None) -> int:
        """Deliver as Meta does; return the status of the desk's answer."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        key = (self.whatsapp.secret if secret is None else secret).encode()
        signature = hmac.new(key, body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        return self.desk.post("/addons/whatsapp/webhook", body, headers).status_code

    def told(self, told: object) -> None:
        """Deliver, and let the desk do what is due."""
        assert self.deliver(told) == 200
        self.desk.work()

    def writes(self, words: str, **said: Any) -> None:
        """Deliver a text."""
        self.told(self.message(type="text", text={"body": words}, **said))

    @property
    def thread(self) -> list[Any]:
        return self.desk.messages(self.phone)


@pytest.fixture(scope="module")
def whatsapp() -> Iterator[WhatsApp]:
    standing_in = WhatsApp()
    yield standing_in
    standing_in.close()


@pytest.fixture(scope="module")
def desk(whatsapp: WhatsApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialDesk]:
    folder = Path(__file__).resolve().parent.parent
    settings = {"graph_url": f"http://{whatsapp.address}"}
    place = tmp_path_factory.mktemp("desk")
    with trial_desk(folder, place, settings=settings, reach=[whatsapp.address], public_url=PUBLIC) as made:
        yield made


VALUES = {"number": NUMBER, "business": BUSINESS, "token": TOKEN, "app_secret": SECRET}


@pytest.fixture(scope="module")
def account(desk: TrialDesk) -> AccountRef:
    return desk.connect("whatsapp", VALUES)


@pytest.fixture
def customer(desk: TrialDesk, whatsapp: WhatsApp, account: AccountRef) -> Callable[[], Customer]:
    """Make a customer with a number of their own."""
    return lambda: Customer(desk, whatsapp, str(next(PHONES)))
