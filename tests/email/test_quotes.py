"""What a mail quotes is found as large clients write it, and nothing is ever cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addons.email.lobby_mail.mail import quotes
from tests.helpers import takes_at_most

SAID = "Yes, two of them.\n\nMia"

QUOTES = {
    "Gmail": "\n\nOn Mon, 3 Mar 2025 at 10:00, Shop <a@b.example> wrote:\n\n> Do you want\n> blue mugs?\n",
    "Gmail, German": "\n\nAm Mo., 3. März 2025 um 10:00 schrieb Shop <a@b.example>:\n\n> Blaue?\n> Ja.\n",
    "Gmail, broken in two": (
        "\n\nOn Mon, 3 Mar 2025 at 10:00, The Shop with a long name <\na@b.example> wrote:\n\n> Blue?\n"
    ),
    "Apple Mail": "\n\n> On 3. Mar 2025, at 10:00, Shop <a@b.example> wrote:\n> \n> Blue mugs?\n",
    "Thunderbird": "\n\nAm 03.03.25 um 10:00 schrieb Shop:\n> Blaue Becher?\n>> Ja?\n",
    "iPhone": "\n\nVon meinem iPhone gesendet\n\n> Am 03.03.2025 schrieb Shop <a@b.example>:\n> \n> Blau?\n",
    "Outlook": (
        "\n\n________________________________\nFrom: Shop <a@b.example>\nSent: Monday, March 3, 2025 10:00\n"
        "To: Mia <mia@example.org>\nSubject: Blue mugs\n\nDo you want blue mugs?\n"
    ),
    "Outlook, German": (
        "\n\n-----Ursprüngliche Nachricht-----\nVon: Shop\nGesendet: Montag, 3. März 2025 10:00\nAn: Mia\n"
        "Betreff: Becher\n\nBlau?\n"
    ),
    "Outlook, French": "\n\nDe : Shop\nEnvoyé : lundi 3 mars 2025\nÀ : Mia\nObjet : Tasses\n\nBleues ?\n",
    "Outlook for phones": (
        "\n\nGet Outlook for iOS\n________________________________\nFrom: Shop\nSent: Monday\nTo: Mia\n\nB\n"
    ),
    "Yahoo": "\n\n    On Monday, March 3, 2025 at 10:00:00, Shop <a@b.example> wrote:\n \n Blue mugs?\n",
    "K-9": "\n\n-------- Original Message --------\nFrom: Shop\nSent: 3 March 2025\nTo: Mia\n\nBlue?\n",
    "Proton": "\n\nOn Monday, March 3rd, 2025 at 10:00 AM, Shop <a@b.example> wrote:\n\n> Blue mugs?\n",
    "French": "\n\nLe lun. 3 mars 2025 à 10:00, Shop <a@b.example> a écrit :\n\n> Bleues ?\n",
    "nothing but marks": "\n\n> Do you want blue mugs?\n",
    "French, in a browser": (
        "\n\nMessage du : 03/03/2025 10:00\nDe : Shop <a@b.example>\nA : mia@b.example\nCopie à : \n"
        "Sujet : Tasses\n\nBleues ?\n"
    ),
}


@pytest.mark.parametrize("client", QUOTES)
def test_what_a_client_quotes_is_folded_and_what_was_said_is_not(client: str) -> None:
    text = (SAID + QUOTES[client]).strip()
    place = quotes.start(text)
    assert place is not None
    shown, folded = text[:place], text[place:]
    assert shown.strip().startswith(SAID)
    words = shown.strip().removeprefix(SAID)
    assert words.strip() in {"", "Von meinem iPhone gesendet", "Get Outlook for iOS"}
    assert shown + folded == text
    # Such a line says nothing to a reader, so it has a fold of its own: it is no part of the quote.
    first, *rest = quotes.folds(text)
    assert text[: first.start].strip() == SAID
    assert [first.kind, *(one.kind for one in rest)] == (["signature"] if words.strip() else []) + ["quote"]


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "",
        "> only a quote\n> and nothing else",
        "On Monday, the shop wrote:\n> nothing but this",
        "Hello\n\n> Do you want blue mugs?\n\nYes.\n\n> Two?\n\nYes, two.",
        "From: me\nwith love",
        "My prices:\nFrom: 3 euros\nare too high",
        "On Monday he said that she wrote a letter: it was long.",
        "5 > 3\nis true",
        "--\nMia\nPottery",
    ],
)
def test_what_is_no_quote_at_the_end_stays_seen(text: str) -> None:
    assert quotes.start(text) is None


ASKED = "> Do you want the blue mugs that we have shown in our window since autumn"


def test_a_quoted_line_that_was_wrapped_is_folded_whole() -> None:
    said = "Both of them please, and send them together."
    text = (
        f"{said}\n\nOn 3 March 2025 at 10:00, Shop <a@b.example> wrote:\n\n> Hello\n{ASKED}, or\nred\n> ones?"
    )
    place = quotes.start(text)
    assert place is not None
    assert text[:place].strip() == said


@pytest.mark.parametrize(
    "between",
    [
        f"{ASKED}, or red\nThe blue ones\n> Two?",
        f"{ASKED}?\nyes\n> Two?",
        f"{ASKED}, or red\n\nblue\n> Two?",
        f"{ASKED}, or red\nblue\n\n> Two?",
        "> Do you want blue\nyes\n> Two?",
    ],
)
def test_an_answer_between_quoted_lines_is_no_half_of_one(between: str) -> None:
    text = f"{SAID * 4}\n\nOn 3 March 2025 at 10:00, Shop <a@b.example> wrote:\n> Hello\n{between}"
    answer = next(line for line in between.split("\n") if line and not line.startswith(">"))
    place = quotes.start(text)
    assert place is None or f"\n{answer}\n" in text[:place]


ON = "On Mar 8, 2012 9:59 AM, Example <r@example.com> wrote:\n"
INTRODUCED = {
    "a line": f"{ON}\n> x",
    "a line, unmarked": f"{ON}\nx\ny\n",
    "a line in two": "On Mar 8, 2012 9:59 AM, Example <\nr@example.com> wrote:\n> x",
    "a line in two, unmarked": " On Mar 8, 2012 9:59 AM, Example\n<r@example.com> wrote:\n\nx\n",
    "a German line": "Am 08.03.2012 um 09:59 schrieb Example <r@example.com>:\n> x",
    "a German line, unmarked": "Am 08.03.2012 um 09:59 schrieb Example <r@example.com>:\n\nx\n",
    "an address": "Example <r@example.com> wrote:\n> x",
}


@pytest.mark.parametrize(
    "said", ["Please cancel my order.\nThanks", "bitte stornieren.\nGruß Mia", "Yes\nNo"]
)
@pytest.mark.parametrize("introduction", INTRODUCED)
def test_words_right_above_an_introduction_stay_seen(said: str, introduction: str) -> None:
    for text in (f"Hi Bob,\n\n{said}", said):
        place = quotes.start(f"{text}\n{INTRODUCED[introduction]}")
        assert place is not None
        assert (text + "\n" + INTRODUCED[introduction])[:place].strip() == text


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("Please cancel it--- On Wed, Apr 4, 2012 at 3:59 PM, me@example.org wrote:\n", "> x"),
        ("Please cancel it On Wed, Apr 4 at 3:59 PM, me@example.org wrote:\n", "> x"),
        ("I see that on 3 May 2024 at 10:15 Mia <m@example.org> wrote:\nplease stop\n\nThat is not so.", ""),
        ("I see that on 3 May 2024 at 10:15 Mia\n<m@example.org> wrote:\nplease stop\n\nThat is not so.", ""),
        ("I see that on 3 May 2024 at 10:15\nMia wrote to\nBo <b@example.org> wrote:\nNot so.", ""),
        ("Ich sehe, am 3.5.2024 um 10:15 schrieb Mia <m@example.org>:\nhalt\n\nDas stimmt nicht.", ""),
        ("Ask Mia <m@example.org> on 3 May 2024 at 10:15 Bo <b@example.org> wrote:\nstop\n\nNo.", ""),
        ("The order of 10:30\nMia wrote:\n", "> x"),
        ("I called you at 10:30\nMia wrote:\n", "> x"),
    ],
)
def test_words_before_an_introduction_on_its_line_stay_seen(said: str, quoted: str) -> None:
    text = f"Hello\n\n{said}{quoted}"
    place = quotes.start(text)
    assert place is None or text[:place].strip() == f"Hello\n\n{said}".strip()
    assert quoted or place is None


@pytest.mark.parametrize(
    "introduction",
    [
        "Mia Rossi <mia@example.org> hat am 03.03.2025 10:15 geschrieben:",
        "Mia Rossi hat am 03.03.2025 10:15 geschrieben:",
        "Mia <mia@example.org> 在 2026年2月28日 周六 19:47 写道：",
        "Am Montag, den 3. März 2025 um 10:00 Uhr schrieb Mia <mia@example.org>:",
        "At 09:09 AM 11/1/2025 -0500, Mia wrote:",
        "No dia 3 de mar. de 2025 às 10:00, Mia <mia@example.org> escreveu:",
        "Mia <mia@example.org>, 3 Mar 2025 Pzt, 10:00 tarihinde\nşunu yazdı:",
        "---- On Mon, 03 Mar 2025 10:00:00 +0100 Mia <mia@example.org> wrote ----",
    ],
)
def test_an_introduction_may_have_such_words_inside(introduction: str) -> None:
    text = f"{SAID}\n\n{introduction}\n\nBlue?\n"
    place = quotes.start(text)
    assert place is not None
    assert text[:place].strip() == SAID


FIELDS = (
    "From: Shop <a@b.example>\nDate: Mon, 3 Mar 2025 10:00:00 +0100\nTo: Mia\nSubject: {}\n\nText of {}\n\n"
)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("It failed.\n\n  Message-id: <1@b.example>\n  " + FIELDS.format(1, 1).replace("\n", "\n  "), ""),
        ("Received: from a.example\n\tby b.example; Mon\n" + FIELDS.format(1, 1), ""),
        ("Hello\n\nReceived: from a.example\n\tby b.example; Mon\n" + FIELDS.format(1, 1), ""),
        ("Name: Mia\nOrder: 17\n\n" + FIELDS.format(1, 1), ""),
        ("Topics:\n\n" + "".join(f"{'-' * 30}\n\n" + FIELDS.format(n, n) for n in range(3)), ""),
        ("Topics:\n\n" + FIELDS.format(1, 1), "Potters Digest, Vol 3, Issue 4"),
    ],
)
def test_fields_of_a_mail_in_a_report_or_a_digest_fold_nothing(text: str, subject: str) -> None:
    assert quotes.start(text, subject) is None


def test_an_answer_to_a_digest_folds_it() -> None:
    text = f"{SAID}\n\n" + FIELDS.format(1, 1)
    place = quotes.start(text, "Re: Potters Digest, Vol 3, Issue 4")
    assert place is not None
    assert text[:place].strip() == SAID


@given(
    st.lists(st.sampled_from(["> a", "On x wrote:", "From: a", "Sent: b", "To: c", "words", "", "_" * 20]))
)
def test_nothing_is_lost_and_something_stays_seen(lines: list[str]) -> None:
    text = "\n".join(lines)
    place = quotes.start(text)
    assert place is None or (0 < place <= len(text) + 1 and text[:place].strip())


@pytest.mark.parametrize(
    "line",
    [
        "On " + "a" * 3000,
        "From: a",
        "> ",
        "am on on on on ",
        "x " + "on 1 " * 70 + "2012 <a@b.example> wrote:",
        "-" * 2000 + "x",
        "A: b\n\nFrom: a@b.example\nDate: b\nTo: c\n\n",
        "\tx\n\nFrom: a@b.example\nDate: b\nTo: c\n",
        "On a wrote",
    ],
)
def test_hostile_lines_take_no_time(line: str) -> None:
    with takes_at_most(90):
        quotes.start("\n".join(["x", *[line] * (500_000 // len(line))][:20_000]))
