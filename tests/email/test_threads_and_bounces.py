"""Mails as programs write them: old quotes are folded, what is passed on and what is said is not.

The introductions and mails under ``corpus/threads-and-bounces/`` are made from the formats of the programs;
names, addresses and words are made up.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from addons.email.lobby_mail.mail import quotes
from host.media import formatted
from tests.email.test_conversation import Desk, messages, signed_in, whole
from tests.email.test_parsing import mail, raw, read
from tests.helpers import takes_at_most

__all__ = ["whole"]

CORPUS = Path(__file__).parent / "corpus" / "threads-and-bounces"
SAID = "Yes, two of them.\n\nMia"


def texts(name: str) -> dict[str, str]:
    found = (CORPUS / name).read_text("utf-8").split("=====\n")
    return {title: text for title, _, text in (one.partition("\n") for one in found)}


INTRODUCTIONS = texts("introductions.txt")
CONTENT = texts("content.txt")


@pytest.mark.parametrize("marks", ["> ", ""])
@pytest.mark.parametrize("client", INTRODUCTIONS)
def test_the_quote_below_an_introduction_is_folded_with_it(client: str, marks: str) -> None:
    introduction = INTRODUCTIONS[client].strip("\n")
    text = f"{SAID}\n\n{introduction}\n\n{marks}Do you want\n{marks}blue mugs?\n"
    place = quotes.start(text, "Re: Blue mugs")
    assert place is not None
    assert text[:place].strip() == SAID
    assert text[place:].strip().startswith(introduction.strip())


@pytest.mark.parametrize("title", CONTENT)
def test_what_is_content_stays_seen(title: str) -> None:
    head, _, text = CONTENT[title].partition("\n\n")
    place = quotes.start(text, head.removeprefix("Subject: "))
    assert place is None or "THE ORDER" in text[:place]


def test_an_answer_below_which_a_forward_is_quoted_folds_both() -> None:
    text = f"{SAID}\n\nOn Mon, Mar 3, 2025 at 10:00 AM Bo <bo@example.org> wrote:\n\n"
    quoted = (
        "> See below.\n>\n> ---------- Forwarded message ---------\n> From: Al <al@example.org>\n>\n> Hello\n"
    )
    place = quotes.start(text + quoted, "Re: Fwd: Order")
    assert place is not None
    assert text[:place].strip() == SAID


GMAIL = (
    '<div dir="ltr">Please see <b>below</b>.<br><br><div class="gmail_quote">'
    '<div dir="ltr" class="gmail_attr">'
    "---------- Forwarded message ---------<br>From: <b>Bo</b> &lt;bo@example.org&gt;<br>"
    "Date: Mon, Mar 3, 2025 at 10:00 AM<br>Subject: Order<br>To: Mia &lt;mia@example.org&gt;<br></div>"
    "<br><table><tr><td>THE ORDER</td></tr></table></div></div>"
)


def test_what_is_passed_on_is_not_folded_in_the_formatted_form_either() -> None:
    message = mail(Subject="Fwd: Order")
    message.set_content(GMAIL, subtype="html")
    got = read(raw(message))
    assert "quoted_from" not in got.content
    assert got.content["html"] == {"rich": True, "remote": 0, "unfolded": True}
    shown = formatted.clean(GMAIL, inline=lambda _name: None, remote=None, earlier="").html
    assert "lobby-earlier" not in shown
    assert "THE ORDER" in shown


@pytest.mark.parametrize(
    "line",
    [
        "schrieb ",
        "wrote: ",
        "2025 10:00 ",
        "<a@b.example>:",
        "- ",
        "forwarded message ",
        "Von: a@b ",
        "- wrote -",
    ],
)
def test_lines_made_to_be_slow_are_read_in_linear_time(line: str) -> None:
    with takes_at_most(180):
        for text in (
            "x\n" + line * (500_000 // len(line)),
            "x\n" + (line * (40 // len(line)) + "\n") * 15_000,
        ):
            quotes.start(text)
            quotes.passes_on(text, "")


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', "pgp-encrypted"),
        ('multipart/signed; protocol="application/pgp-signature"; boundary=b', "pgp-signed"),
        ('multipart/signed; protocol="application/pkcs7-signature"; boundary=b', "smime-signed"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "smime-encrypted"),
        ("application/x-pkcs7-mime; smime-type=signed-data", "smime-sealed"),
        ("text/plain", None),
    ],
)
def test_a_signed_or_encrypted_mail_says_what_it_is(content_type: str, found: str | None) -> None:
    head = f"From: mia@example.org\r\nContent-Type: {content_type}\r\n\r\n"
    body = "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
    assert read(f"{head}{body}".encode()).content.get("protection") == found


def test_two_hundred_recipients_are_all_kept() -> None:
    message = mail()
    people = [
        f"Somebody With A Long Name Number {number} <somebody{number}@example.org>" for number in range(200)
    ]
    message["Cc"] = ", ".join(people)
    assert [one["address"] for one in read(raw(message)).content["cc"]] == [
        f"somebody{number}@example.org" for number in range(200)
    ]


def test_two_mails_alike_that_say_nothing_of_themselves_both_arrive(whole: Desk) -> None:
    alarm = b"From: alarm@example.org\r\nSubject: The door is open\r\n\r\nAlarm\r\n"
    whole.deliver(alarm)
    whole.deliver(alarm)
    assert [one.text for one in messages()] == ["Alarm", "Alarm"]
    relayed = b"Received: from alarm by mx.example.org id 7\r\n" + alarm
    whole.deliver(relayed)
    whole.deliver(relayed)  # the server had no answer, and tries again
    assert len(messages()) == 3


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("Auto-Submitted: auto-replied\r\n", "Automatic or mass mail"),
        ("List-Unsubscribe: <https://example.org/stop>\r\nPrecedence: bulk\r\n", "Automatic or mass mail"),
        ("Content-Type: multipart/encrypted; boundary=b\r\n", "This email is encrypted with PGP."),
        (
            'Content-Type: multipart/signed; boundary=b; protocol="application/pkcs7-signature"\r\n',
            "This email is signed with S/MIME.",
        ),
    ],
)
def test_the_thread_shows_what_a_mail_is(whole: Desk, data: Path, headers: str, said: str) -> None:
    head = f"From: mia@example.org\r\nMessage-ID: <one@example.org>\r\nSubject: Mugs\r\n{headers}\r\n"
    body = "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
    whole.deliver(f"{head}{body}".encode())
    (message,) = messages()
    page = signed_in(whole, data).get(f"/w/{whole.account.workspace_id}/inbox/{message.conversation_id}")
    assert said in page.text
