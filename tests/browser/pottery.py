"""A desk with a connected account, an agent in the inbox, and a look into what reached the other side."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from playwright.sync_api import Page, expect

from demo import journey
from demo.journey import ADMIN, AGENT, PASSWORD, Journey
from tests.browser.conftest import Desk

SECONDS = 10.0


@dataclass
class Pottery:
    """The desk after its set-up: everything the journey does by hand, done."""

    desk: Desk
    journey: Journey = field(init=False)

    def __post_init__(self) -> None:
        self.journey = Journey(self.desk.sandbox, self.desk.host, self.desk.outside, self.desk.smtp_port)
        for step in (
            journey.sandbox_answers,
            journey.set_up,
            journey.invite,
            journey.upload,
            journey.install,
            journey.activate,
            journey.connect,
            journey.verify,
        ):
            step(self.journey)

    @property
    def inbox(self) -> str:
        return f"/w/{self.journey.workspace}/inbox"

    @property
    def channels(self) -> str:
        return f"/w/{self.journey.workspace}/settings/channels"

    def control(self, path: str, body: object) -> Any:
        return self.journey.control("POST", path, body)

    def dm(self, text: str, customer: str = "ana.sample", **more: object) -> None:
        self.control("dm", {"customer": customer, "text": text, **more})

    def sent(self, since: int = 0) -> list[dict[str, Any]]:
        """Return what the other side took, oldest first, each with the ``request`` that carried it."""
        answer = requests.get(
            f"{self.desk.sandbox.url}/control/ledger?kind=send&bodies=1&since={since}", timeout=10
        )
        return [{**entry, "request": json.loads(entry["body"])} for entry in answer.json()["entries"]]

    def messages(self, since: int) -> list[str]:
        """Return what kinds of messages came after *since*; typing is none."""
        return [one["what"] for one in self.sent(since) if not one["what"].startswith("typing")]

    def last(self) -> int:
        """Return where the ledger stands, to see only what comes after."""
        return int(requests.get(f"{self.desk.sandbox.url}/control/ledger", timeout=10).json()["last"])

    def wait_sent(self, page: Page, since: int, what: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until *count* sends of a kind reached the other side; return those."""
        return wait(
            page,
            lambda: (
                found
                if len(found := [one for one in self.sent(since) if one["what"] == what]) >= count
                else None
            ),
            f"{count} × {what}; there is {[one['what'] for one in self.sent(since)]}",
        )


def wait(page: Page, look: Callable[[], Any], what: str) -> Any:
    """Return what *look* finds, while the page goes on."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"it did not happen: {what}"
        page.wait_for_timeout(50)


def sign_in(page: Page, email: str) -> None:
    page.goto("/login")
    page.get_by_label("Email").first.fill(email)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def agent_signs_in(page: Page) -> None:
    sign_in(page, AGENT)


def owner_signs_in(page: Page) -> None:
    sign_in(page, ADMIN)


def png(width: int = 64, height: int = 64) -> bytes:
    """Return a small picture every decoder takes."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 3 % 256, y * 3 % 256, 140)) for x in range(width)) for y in range(height)
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def pdf() -> bytes:
    """Return a document of one empty page."""
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n")
    out.write(b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n")
    out.write(b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
    return out.getvalue()
