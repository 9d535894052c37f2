"""Mails attached to a mail, and digests: opened on the page, and their words found."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail.mail import enclosed
from host.core import db
from host.media.pages import enclosed_views
from host.models.inbox import Attachment
from host.search import documents
from tests.email.test_conversation import Desk, conversations, messages, signed_in, whole
from tests.email.test_formatted import PIXEL

__all__ = ["whole"]


def mail(subject: str, text: str = "See below.", **headers: str) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = "Mia Rossi <mia@example.org>"
    made["To"], made["Subject"] = "hello@shop.example", subject
    made["Date"] = "Mon, 02 Mar 2026 20:12:00 +0000"
    for name, value in headers.items():
        made[name] = value
    made.set_content(text)
    return made


def carrier(text: str, inner: EmailMessage) -> EmailMessage:
    outer = mail("Fwd: something", text)
    outer.add_attachment(inner)
    return outer


def files() -> list[Attachment]:
    with db.read() as session:
        return list(session.scalars(sa.select(Attachment).order_by(Attachment.id)))


def test_an_attached_mail_opens_on_the_page(whole: Desk, data: Path) -> None:
    inner = mail("A complaint about mugs", "The handle of the celadon mug broke.")
    inner.add_attachment(b"a,b", maintype="text", subtype="csv", filename="orders.csv")
    inner.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="a\u202efdp.exe")
    whole.deliver(carrier("Please see.", inner).as_bytes())
    (talk,), browser = conversations(), signed_in(whole, data)
    (file,) = files()
    there = f"/w/{whole.account.workspace_id}/media/{file.id}/mail"
    assert there in browser.get(f"/w/{whole.account.workspace_id}/inbox/{talk.id}").text
    page = browser.get(there).text
    for said in (
        "A complaint about mugs",
        "Mia Rossi &lt;mia@example.org&gt;",
        "The handle of the celadon mug",
        "2026",
    ):
        assert said in page
    assert "orders.csv" in page
    assert "a⇄fdp.exe" in page
    assert "\u202e" not in page


def test_its_words_are_found(whole: Desk) -> None:
    whole.deliver(carrier("Please see.", mail("A complaint", "The celadon mug broke.")).as_bytes())
    (message,) = messages()
    said = list(documents.texts(message.text, message.content, [], None))
    assert "The celadon mug broke." in said
    assert "A complaint" in said


def test_its_form_runs_nothing_and_fetches_nothing(whole: Desk, data: Path) -> None:
    inner = mail("Blue mugs")
    inner.add_alternative(
        '<body onload="hit()"><script>hit()</script><b>Blue</b><img src="cid:mug@example.org">'
        '<img src="https://tracker.example/a.png"></body>',
        subtype="html",
    )
    part = inner.get_payload()[1]  # type: ignore[index]
    part.add_related(PIXEL, "image", "png", cid="<mug@example.org>", filename="mug.png")  # type: ignore[union-attr]
    whole.deliver(carrier("Please see.", inner).as_bytes())
    browser = signed_in(whole, data)
    there = f"/w/{whole.account.workspace_id}/media/{files()[0].id}/mail"
    assert f'src="{there}?form=1"' in browser.get(there).text
    answer = browser.get(f"{there}?form=1")
    assert "<b>Blue</b>" in answer.text
    assert 'src="data:image/png;base64,' in answer.text
    assert "hit()" not in answer.text
    assert "tracker.example" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_mails_within_mails_open_a_few_levels(whole: Desk, data: Path) -> None:
    made = mail("Level 0", "The innermost.")
    for level in range(1, 8):
        outer = mail(f"Level {level}")
        outer.add_attachment(made)
        made = outer
    whole.deliver(made.as_bytes())
    browser = signed_in(whole, data)
    there = f"/w/{whole.account.workspace_id}/media/{files()[0].id}/mail"
    assert "Level 6" in browser.get(there).text
    assert f"{there}?within=0" in browser.get(there).text
    last = ".".join("0" * (enclosed_views.DEEPEST - 1))
    page = browser.get(f"{there}?within={last}")
    assert "Level 3" in page.text
    assert f"{last}.0" not in page.text
    assert browser.get(f"{there}?within={last}.0").status_code == 422
    for wrong in ("1", "x", "-1", "0.9", "0..0", "9" * 400):
        assert browser.get(f"{there}?within={wrong}").status_code == 404


def test_a_digest_is_its_mails(whole: Desk, data: Path) -> None:
    raw = (
        b"From: list@potters.example\r\nTo: hello@shop.example\r\nSubject: Potters Digest\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/digest; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nFrom: ana@example.org\r\nSubject: Kilns\r\n\r\nMy kiln cracked.\r\n"
        b"--b\r\n\r\nFrom: ben@example.org\r\nSubject: Glazes\r\n\r\nTry celadon.\r\n--b--\r\n"
    )
    whole.deliver(raw)
    (message,) = messages()
    assert [one["title"] for one in message.content["enclosed"]] == ["Kilns", "Glazes"]
    browser = signed_in(whole, data)
    pages = [browser.get(f"/w/{whole.account.workspace_id}/media/{one.id}/mail").text for one in files()]
    assert "My kiln cracked." in pages[0]
    assert "Try celadon." in pages[1]


@pytest.mark.parametrize(
    "content", [b"", b"\0\xff" * 50, b"x" * 300_000, b"Content-Type: multipart/mixed; boundary=b\n\n--b"]
)
def test_a_broken_one_is_no_error(content: bytes) -> None:
    enclosed.read(content)


def test_a_mail_that_is_too_large_is_not_read() -> None:
    assert enclosed.read(b"Subject: x\n\n" + b"a\n" * enclosed.MOST) is None
