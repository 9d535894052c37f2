"""A stand-in for Telegram's Bot API on a loopback port, and a desk with one bot connected.

It keeps to what https://core.telegram.org/bots/api says of the methods the addon calls: answers are
``{"ok": true, "result": ...}`` or ``{"ok": false, "error_code": ..., "description": ...}`` with that status.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from host.authoring.desk import TrialDesk, trial_desk
from host.sdk import clock
from host.sdk.channel import AccountRef

BOT = 8123456789
TOKEN = f"{BOT}:AAE-sample_token_of_the_stand_in_0001"
ANN = 501
PUBLIC = "https://desk.example.com"
CHATS = itertools.count(1000)


class Telegram:
    """The stand-in: one bot, its webhook, what was sent to whom, and the files people sent.

    :ivar sent: (method, fields, bytes of the file) of each message it took.
    :ivar refuse: answers for the next calls of a method: status, description and parameters, or None to cut
        the connection after the request was read.
    """

    def __init__(self) -> None:
        self.token = TOKEN
        self.webhook: dict[str, Any] = {}
        self.sent: list[tuple[str, dict[str, Any], bytes]] = []
        self.actions: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.refuse: dict[str, list[tuple[int, str, dict[str, Any]] | None]] = {}
        self.pending, self.trouble = 0, ""
        self.number = 100
        standing_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                start, _, name = self.path.removeprefix("/file/bot").partition("/photos/")
                known = start == standing_in.token and name in standing_in.files
                self.answer(200 if known else 404, standing_in.files[name] if known else b"{}")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                token, _, method = self.path.removeprefix("/bot").partition("/")
                step = (standing_in.refuse.get(method) or [(0, "", {})]).pop(0)
                if step is None:
                    self.close_connection = True
                    return
                status, words, more = step
                if token != standing_in.token:
                    status, words = 401, "Unauthorized"
                result: Any = None
                if not status:
                    fields, file = read_body(self.headers, body)
                    try:
                        result = getattr(standing_in, f"on_{method}")(fields, file)
                    except KeyError as error:
                        status, words = 400, f"Bad Request: {error.args[0]}"
                found = {"ok": True, "result": result}
                if status:
                    found = {"ok": False, "error_code": status, "description": words}
                    found |= {"parameters": more} if more else {}
                self.answer(status or 200, json.dumps(found).encode())

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

    def on_getMe(self, _fields: dict[str, Any], _file: bytes) -> Any:
        return {"id": BOT, "is_bot": True, "first_name": "Sample Pottery", "username": "sample_pottery_bot"}

    def on_setWebhook(self, fields: dict[str, Any], _file: bytes) -> Any:
        if not fields["url"].startswith("https://"):
            raise KeyError("bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = fields
        return True

    def on_deleteWebhook(self, _fields: dict[str, Any], _file: bytes) -> Any:
        self.webhook = {}
        return True

    def on_getWebhookInfo(self, _fields: dict[str, Any], _file: bytes) -> Any:
        trouble = {"last_error_message": self.trouble} if self.trouble else {}
        return {"url": self.webhook.get("url", ""), "pending_update_count": self.pending, **trouble}

    def on_getChat(self, fields: dict[str, Any], _file: bytes) -> Any:
        if str(fields["chat_id"]) != str(ANN):
            raise KeyError("chat not found")
        return {"id": ANN, "type": "private", "first_name": "Ann", "last_name": "Lee", "username": "annlee"}

    def on_getFile(self, fields: dict[str, Any], _file: bytes) -> Any:
        if fields["file_id"] not in self.files:
            raise KeyError("invalid file_id")
        return {"file_id": fields["file_id"], "file_path": f"photos/{fields['file_id']}"}

    def on_sendChatAction(self, fields: dict[str, Any], _file: bytes) -> Any:
        self.actions.append(fields)
        return True

    def _message(self, method: str, fields: dict[str, Any], file: bytes) -> Any:
        if len(fields.get("text", "")) > 4096:
            raise KeyError("message is too long")
        self.number += 1
        self.sent.append((method, fields, file))
        return {"message_id": self.number, "date": 1_790_000_000, "chat": {"id": int(fields["chat_id"])}}

    def __getattr__(self, name: str) -> Callable[[dict[str, Any], bytes], Any]:
        methods = {"sendMessage", "sendPhoto", "sendVideo", "sendAudio", "sendVoice", "sendDocument"}
        method = name.removeprefix("on_")
        if method not in methods:
            raise AttributeError(name)
        return lambda fields, file: self._message(method, fields, file)


def read_body(headers: Message, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the fields of a request, JSON or form, and the bytes of its file."""
    if headers.get_content_type() == "application/json":
        return json.loads(body), b""
    head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
    fields: dict[str, Any] = {}
    file = b""
    for part in BytesParser().parsebytes(head + body).get_payload():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if part.get_filename() is None:
            fields[name] = data.decode()
        else:
            fields["file_field"], file = name, data
    if "reply_parameters" in fields:
        fields["reply_parameters"] = json.loads(fields["reply_parameters"])
    return fields, file


class Customer:
    """Somebody who writes to the bot, as Telegram tells of it."""

    def __init__(self, desk: TrialDesk, telegram: Telegram, chat: int = ANN) -> None:
        self.desk = desk
        self.telegram = telegram
        self.chat = chat
        self.update = 9000 + chat
        self.message = 0

    def update_of(self, kind: str = "message", **said: Any) -> dict[str, Any]:
        """Return an update; *said* replaces or adds fields of the message."""
        self.update += 1
        if kind == "message" and "message_id" not in said:
            self.message += 1
        body = {
            "message_id": self.message,
            "from": {"id": self.chat, "is_bot": False, "first_name": "Ann", "username": "annlee"},
            "chat": {"id": self.chat, "type": "private", "first_name": "Ann"},
            "date": int(clock.now().timestamp()) - 1000 + self.message,
            **said,
        }
        return {"update_id": self.update, kind: body}

    def deliver(self, update: object, *, secret: str | None = None, bot: int = BOT) -> int:
        """Deliver *update* as Telegram does; return the status of the desk's answer."""
        header = self.telegram.webhook.get("secret_token", "") if secret is None else secret
        body = update if isinstance(update, bytes) else json.dumps(update).encode()
        path = f"/webhooks/telegram/{bot}"
        headers = {"X-Telegram-Bot-Api-Secret-Token": header, "Content-Type": "application/json"}
        return self.desk.post(path, body, headers).status_code

    def writes(self, kind: str = "message", **said: Any) -> None:
        """Deliver a message and let the desk do what is due."""
        assert self.deliver(self.update_of(kind, **said)) == 200
        self.desk.work()

    @property
    def thread(self) -> list[Any]:
        return self.desk.messages(str(self.chat))


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    standing_in = Telegram()
    yield standing_in
    standing_in.close()


@pytest.fixture(scope="module")
def desk(telegram: Telegram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialDesk]:
    folder = Path(__file__).resolve().parent.parent
    settings = {"api_url": f"http://{telegram.address}"}
    place = tmp_path_factory.mktemp("desk")
    with trial_desk(folder, place, settings=settings, reach=[telegram.address], public_url=PUBLIC) as made:
        yield made


@pytest.fixture(scope="module")
def account(desk: TrialDesk) -> AccountRef:
    return desk.connect("telegram", {"token": TOKEN})


@pytest.fixture
def customer(desk: TrialDesk, telegram: Telegram, account: AccountRef) -> Callable[[], Customer]:
    """Make a customer with a chat of their own."""
    return lambda: Customer(desk, telegram, next(CHATS))
