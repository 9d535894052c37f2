"""Names that hide what a file is: shown neutralised, with a warning, wherever a file of a customer is."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import db
from host.core.cleaning import clean_file_name
from host.inbox.composition import forwarding
from host.media.pages.name_warnings import Disguise, disguise
from host.models.inbox import Attachment
from tests.email.test_conversation import Desk, conversations, messages, signed_in, whole
from tests.email.test_forwarding import forward
from tests.email.test_sending import parsed

__all__ = ["whole"]


@pytest.mark.parametrize(
    ("name", "shown", "warning"),
    [
        ("invoice.pdf", "invoice.pdf", None),
        ("Rechnung 2026.05.pdf", "Rechnung 2026.05.pdf", None),
        ("archive.tar.gz", "archive.tar.gz", None),
        ("report.pdf.zip", "report.pdf.zip", None),
        ("Отчёт.docx", "Отчёт.docx", None),
        ("חשבונית\u200f.pdf", "חשבונית.pdf", None),
        ("می\u200cخواهم.pdf", "می\u200cخواهم.pdf", None),
        ("👩\u200d🌾 😀.png", "👩\u200d🌾 😀.png", None),
        ("invoice\u202efdp.exe", "invoice⇄fdp.exe", Disguise.TURNED),
        ("\u2067jpg\u200f.scr\u2069", "⇄jpg.scr", Disguise.TURNED),
        ("invoice.pdf.exe", "invoice.pdf.exe", Disguise.DOUBLE),
        ("INVOICE.PDF.Js", "INVOICE.PDF.Js", Disguise.DOUBLE),
        ("invoice․pdf.exe", "invoice․pdf.exe", Disguise.DOUBLE),
        ("photo.jpg      .exe", "photo.jpg .exe", Disguise.DOUBLE),
        ("photo.jpg\u2800\u3164\u00a0.exe . ", "photo.jpg .exe", Disguise.DOUBLE),
        ("photo.jpg" + " " * 400 + ".exe", "photo.jpg .exe", Disguise.DOUBLE),
        ("page.pdf.html", "page.pdf.html", Disguise.DOUBLE),
        ("setup.ехе", "setup.ехе", Disguise.LOOKALIKE),  # Cyrillic
        ("invoice.рdf", "invoice.рdf", Disguise.LOOKALIKE),
        ("invoice．ｅｘｅ", "invoice．ｅｘｅ", Disguise.LOOKALIKE),
        ("setup.exe", "setup.exe", Disguise.PROGRAM),
        ("a\u200bb\x07c\u00ad.lnk", "abc.lnk", Disguise.PROGRAM),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf", None),
        ("", "", None),
        (" . ", "", None),
    ],
)
def test_what_a_name_hides_is_shown(name: str, shown: str, warning: Disguise | None) -> None:
    assert clean_file_name(name) == shown
    assert clean_file_name(shown) == shown
    assert disguise(shown) is warning


def with_file(name: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "mia@example.org", "hello@shop.example", "Invoice"
    mail["Message-ID"] = "<one@example.org>"
    mail.set_content("See this.")
    mail.add_attachment(b"MZ\x90\0", maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def test_it_is_neutralised_everywhere(whole: Desk, data: Path) -> None:
    whole.deliver(with_file("invoice\u202efdp.exe"))
    (talk,), (message,) = conversations(), messages()
    browser = signed_in(whole, data)
    html = browser.get(f"/w/{whole.account.workspace_id}/inbox/{talk.id}").text
    assert "\u202e" not in html
    assert '<bdi class="file-name" dir="ltr" translate="no">invoice⇄fdp.exe</bdi>' in html
    assert "Its name contains signs that reverse the direction of writing" in html

    with db.read() as session:
        file = session.scalars(sa.select(Attachment).where(Attachment.message_id == message.id)).one()
        assert file.name == "invoice⇄fdp.exe"
        assert [one.name for one in forwarding.chosen(session, talk, None).files] == ["invoice⇄fdp.exe"]
    answer = browser.get(f"/w/{whole.account.workspace_id}/media/{file.id}?download=1")
    assert "%E2%80%AE" not in answer.headers["Content-Disposition"]
    assert "invoice%E2%87%84fdp.exe" in answer.headers["Content-Disposition"]

    forward(whole, talk.id)
    names = [part.get_filename() for part in parsed(whole.outside).walk() if part.get_filename()]
    assert names
    assert not any("\u202e" in str(one) for one in names)
    forward(whole, talk.id, files=False, key="forward-2")
    assert b"%E2%80%AE" not in whole.outside.mails[-1][2]


def test_a_name_stored_before_is_neutralised_as_well(whole: Desk, data: Path) -> None:
    whole.deliver(with_file("invoice.pdf.exe"))
    (talk,) = conversations()
    raw = sa.text("UPDATE attachments SET name = :name")
    db.write(lambda session: session.execute(raw, {"name": "a\u202efdp.exe"}))
    html = signed_in(whole, data).get(f"/w/{whole.account.workspace_id}/inbox/{talk.id}").text
    assert "\u202e" not in html
    assert "a⇄fdp.exe" in html


def test_each_disguise_is_said(whole: Desk, data: Path) -> None:
    whole.deliver(with_file("invoice.pdf.exe"))
    (talk,) = conversations()
    html = signed_in(whole, data).get(f"/w/{whole.account.workspace_id}/inbox/{talk.id}").text
    assert "Looks like another type of file, but is an .exe file" in html
