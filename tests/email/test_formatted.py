"""A mail's HTML: kept as it came, shown in a frame in which nothing runs and nothing is asked for unasked."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Message
from host.models.queue import InboundEvent
from host.users.roles import Role
from tests.email.conftest import Outside, connect
from tests.email.test_browser import assert_fits, mail_port, served
from tests.email.test_conversation import Desk, messages, signed_in, whole
from tests.helpers import PASSWORD, make_user, make_workspace

__all__ = ["served", "whole"]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf"
    "c0000003010100c9fe92ef0000000049454e44ae426082"
)


HIT = "window.hit = (...what) => { window.hits = [...(window.hits || []), what]; }"
"""What a hostile mail calls if it can."""


def newsletter(html: str, **headers: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = headers.pop("From", "Mia Rossi <mia@example.org>")
    mail["To"] = "Shop <hello@shop.example>"
    mail["Cc"] = "Anna <anna@example.org>"
    mail["Subject"] = headers.pop("Subject", "Blue mugs")
    mail["Message-ID"] = headers.pop("Message_ID", "<one@example.org>")
    mail.set_content("Do you have blue mugs?")
    mail.add_alternative(html, subtype="html")
    part = mail.get_payload()[1]  # type: ignore[index]
    part.add_related(PIXEL, "image", "png", cid="<mug@example.org>", filename="mug.png")  # type: ignore[union-attr]
    return mail.as_bytes()


def deliver(raw: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "hello@shop.example", raw)


def wait_for_messages(number: int) -> list[Message]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with db.read() as session:
            found = list(session.scalars(sa.select(Message).order_by(Message.id)))
        if len(found) >= number:
            return found
        time.sleep(0.05)
    raise AssertionError("the mail did not come")


@pytest.mark.browser
def test_nothing_is_asked_for_before_somebody_asks(
    served: str,
    outside: Outside,
    chromium: Any,
) -> None:
    workspace = make_workspace("Pottery")
    make_user("agent@example.com", workspace=workspace, role=Role.AGENT)
    connect(outside, workspace)
    tracker = "http://tracker.example"
    html = (
        f"<html><head><style>@import '{tracker}/import.css';"
        f"body {{ background: url({tracker}/body.png) }}</style>"
        f"<link rel=stylesheet href='{tracker}/sheet.css'><base href='{tracker}/'></head>"
        f"<body background='{tracker}/background.png' onload='top.hit()'><h1>Blue mugs</h1>"
        f"<p style='background: url({tracker}/p.png); position: fixed'>Do you have <b>blue</b> mugs?</p>"
        f"<img src='{tracker}/open.gif?who=1' width=600 height=80><img src='cid:mug@example.org' alt='A mug'>"
        f"<a href='{tracker}/shop'>Shop</a><a href='javascript:top.hit()'>Bad</a>"
        f"<form action='{tracker}/form'><input name=a autofocus></form>"
        f"<iframe src='{tracker}/frame'></iframe>"
        f"<video poster='{tracker}/poster.png' src='{tracker}/film'></video>"
        "<script>top.hit()</script><div class='gmail_quote'><div>On Monday, the shop wrote:</div>"
        "<blockquote>Earlier words</blockquote></div></body></html>"
    )
    deliver(newsletter(html))
    message = wait_for_messages(1)[0]

    for width, scheme in ((1440, "light"), (360, "dark")):
        context = chromium.new_context(
            base_url=served, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        context.add_init_script(HIT)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        troubles: list[str] = []
        page.on("pageerror", lambda error, troubles=troubles: troubles.append(str(error)))
        page.goto("/login")
        page.fill("#email", "agent@example.com")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto(f"/w/{workspace}/inbox/{message.conversation_id}")
        frame = page.frame_locator("[data-form-frame]")
        frame.locator("h1").wait_for()
        frame.locator("img[alt='A mug']").wait_for()
        assert frame.locator("img[alt='A mug']").evaluate("one => one.naturalWidth") == 1
        page.wait_for_timeout(300)
        assert [url for url in asked if not url.startswith(served)] == []
        assert page.locator("[data-form-pictures]").is_visible()
        assert not frame.locator("blockquote").is_visible()
        frame.locator("summary").click()
        frame.locator("blockquote").wait_for()
        link = frame.locator("a >> text=Shop")
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"
        assert frame.locator("script, form, iframe, video, [onload], link, base").count() == 0
        assert page.evaluate("window.hits") is None
        heights = page.evaluate(
            "(() => { const one = document.querySelector('[data-form-frame]');"
            " return [one.clientHeight, one.contentDocument.body.clientHeight] })()"
        )
        assert abs(heights[0] - heights[1]) < 24
        page.screenshot(path=f"/dev/shm/shown/mail-{width}.png")
        assert_fits(page)

        page.click("[data-form-once]")
        frame.locator("img[src*='/picture?']").wait_for(state="attached")
        assert not page.locator("[data-form-pictures]").is_visible()
        # Even then the browser asks nobody but the desk.
        page.wait_for_timeout(300)
        assert [url for url in asked if not url.startswith(served)] == []
        assert any("/picture?" in url for url in asked)
        assert troubles == []
        context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_none_of_the_hostile_lines_acts_in_the_frame(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("agent@example.com", workspace=workspace, role=Role.AGENT)
    connect(outside, workspace)
    lines = (Path(__file__).parents[1] / "media" / "hostile.txt").read_text().splitlines()
    for number, html in enumerate([*lines, "\n".join(lines)]):
        deliver(newsletter(f"<h1>Mail</h1>{html}", Message_ID=f"<{number}@example.org>"))
    found = wait_for_messages(len(lines) + 1)
    context = chromium.new_context(base_url=served)
    context.add_init_script(HIT)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(f"dialog: {dialog.message}"))
    page.goto("/login")
    page.fill("#email", "agent@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    for message in found:
        words = page.evaluate(
            """address => new Promise((done) => {
                const frame = document.createElement("iframe");
                frame.sandbox = "allow-same-origin allow-popups allow-popups-to-escape-sandbox";
                frame.onload = () => done(frame.contentDocument.querySelector("h1").textContent);
                frame.src = address;
                document.body.append(frame);
            })""",
            f"/w/{workspace}/messages/{message.id}/formatted",
        )
        assert words == "Mail"
    page.wait_for_timeout(500)
    assert page.evaluate("window.hits") is None
    page.evaluate("top.hit(1)")
    assert page.evaluate("window.hits") == [[1]], "what they call is there to be called"
    assert [url for url in asked if not url.startswith(served)] == []
    assert not any("/hide" in url or "/settings" in url for url in asked)
    context.close()


def test_what_the_mail_server_found_is_shown_with_each_result(whole: Desk, data: Path) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (message,) = messages()
    browser = signed_in(whole, data)
    for check, line in (
        ({"verdict": "pass", "spf": "pass", "dmarc": "pass"}, "Sender confirmed (SPF pass, DMARC pass)"),
        ({"verdict": "none", "dkim": "neutral"}, "Sender not confirmed (DKIM neutral)"),
        ({"verdict": "none"}, "Sender not confirmed</span>"),
        ({"verdict": "fail", "spf": "fail", "dkim": "<b>"}, "SPF fail, DKIM &lt;b&gt;"),
        ({"verdict": "else", "spf": "pass"}, None),
    ):
        change = sa.update(Message).values(content={"sender_check": check})
        db.write(lambda session, change=change: session.execute(change))
        page = browser.get(f"/w/{whole.account.workspace_id}/inbox/{message.conversation_id}").text
        assert line in page if line else "SPF" not in page


def test_the_original_is_shown_as_text_until_the_journal_ends(whole: Desk, data: Path) -> None:
    raw = newsletter("<h1>Blue mugs</h1><script>x</script>")
    whole.deliver(raw)
    (message,) = messages()
    browser = signed_in(whole, data)
    address = f"/w/{whole.account.workspace_id}/messages/{message.id}/original"
    page = browser.get(f"/w/{whole.account.workspace_id}/inbox/{message.conversation_id}").text
    assert f'href="{address}"' in page
    assert "to Shop; cc Anna" in page
    shown = browser.get(address)
    assert shown.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Security-Policy"].startswith("sandbox")
    assert raw.replace(b"\r\n", b"\n") in shown.data.replace(b"\r\n", b"\n")

    db.write(lambda session: session.execute(sa.update(InboundEvent).values(body=None)))
    gone = browser.get(address)
    assert gone.status_code == 410
    assert "kept for a limited time" in gone.text
