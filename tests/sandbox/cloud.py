"""The Cloud API as its clients see it, and the customer behind it."""

from __future__ import annotations

from typing import Any

import requests

from sandbox.whatsapp import seed
from tests.sandbox.helpers import Desk, Meta

ANA, KIT, ROSA, GIL = "15550100001", "15550100002", "447700900003", "551190000004"
NUMBER, WABA = seed.NUMBER_ID, seed.WABA_ID


class Cloud:
    """Calls with the WhatsApp token, and the control calls of its customers."""

    def __init__(self, meta: Meta) -> None:
        self.meta = meta

    def call(
        self, method: str, path: str, token: str | None = seed.TOKEN, **options: Any
    ) -> requests.Response:
        return self.meta.graph(method, path, token, **options)

    def get(self, path: str, **params: str) -> Any:
        return self.call("GET", path, params=params).json()

    def send(self, kind: str = "text", content: Any = None, **more: Any) -> requests.Response:
        content = {"body": "hi"} if content is None else content
        body = {"messaging_product": "whatsapp", "to": ANA, "type": kind, kind: content, **more}
        return self.call("POST", f"{NUMBER}/messages", json=body)

    def sent(self, kind: str = "text", content: Any = None, **more: Any) -> str:
        """Send a message that is accepted, and wait for its statuses; return its id."""
        answer = self.send(kind, content, **more)
        assert answer.status_code == 200, answer.text
        self.meta.idle()
        message_id: str = answer.json()["messages"][0]["id"]
        return message_id

    def act(self, kind: str = "text", customer: str = ANA, **more: Any) -> Any:
        return self.meta.control("POST", "whatsapp/message", {"customer": customer, "kind": kind, **more})

    def control(self, method: str, path: str, body: Any = None, expect: int | None = None) -> Any:
        return self.meta.control(method, f"whatsapp/{path}", body, expect)

    def connect(self, desk: Desk) -> None:
        """Set the desk as the app's callback and subscribe the app to the account."""
        hook = {"app": seed.APP_ID, "callback_url": desk.url, "verify_token": "v"}
        self.meta.control("POST", "webhook", hook)
        assert self.call("POST", f"{WABA}/subscribed_apps").json() == {"success": True}


def values(desk: Desk, field: str = "messages") -> list[Any]:
    """Return the value of every change received, in order."""
    return [
        change["value"]
        for body in desk.bodies()
        for entry in body["entry"]
        for change in entry["changes"]
        if change["field"] == field
    ]


def told(desk: Desk) -> list[tuple[str, str]]:
    """Return the statuses received, in order, with the ids of their messages."""
    return [(each["status"], each["id"]) for value in values(desk) for each in value.get("statuses", [])]


def problem(answer: requests.Response) -> tuple[int, int, str]:
    """Return HTTP status, code and details, or the message where there are none."""
    error = answer.json()["error"]
    details = error.get("error_data", {}).get("details") or error["message"]
    return answer.status_code, error["code"], details
