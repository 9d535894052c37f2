"""What is quoted is folded whatever stands below it; what closes a mail has folds of its own.

The mails are made from the formats of mail programs, mail servers and mailing lists; names, addresses and
words are made up.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.dates import get_day_names, get_month_names
from hypothesis import given
from hypothesis import strategies as st

from addons.email.lobby_mail.mail import calendar_words, quotes
from tests.email.test_conversation import Desk, messages, signed_in, whole
from tests.helpers import takes_at_most

__all__ = ["whole"]

SAID = "Yes, two of them please, and send them together."
ON = "On Mon, 3 Mar 2025 at 10:00, Shop <a@b.example> wrote:\n"
QUOTE = f"{ON}\n> Do you want\n> blue mugs?"

SIGNATURES = {
    "dashes": "-- \nMia Rossi\nPottery GmbH",
    "dashes without their space": "--\nMia Rossi\nPottery GmbH\nTel. +49 30 1234567",
    "a motto": "-- \nMia Rossi\nThe best time to plant a tree was twenty years ago, the second best is now.",
    "iPhone": "Sent from my iPhone",
    "iPhone, excused": "Sent from my iPhone, please excuse typos",
    "iPhone, German": "Von meinem iPhone gesendet",
    "Galaxy, German": "Von meinem Samsung Galaxy Smartphone gesendet.",
    "K-9, German": "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "GMX": "Gesendet mit der GMX Mail App",
    "iPhone, French": "Envoyé de mon iPhone",
    "iPhone, Spanish": "Enviado desde mi iPhone",
    "iPhone, Portuguese": "Enviado do meu iPhone",
    "iPhone, Italian": "Inviato da iPhone",
    "iPhone, Dutch": "Verstuurd vanaf mijn iPhone",
    "iPhone, Polish": "Wysłane z iPhone'a",
    "iPhone, Russian": "Отправлено с iPhone",
    "iPhone, Swedish": "Skickat från min iPhone",
    "iPhone, Turkish": "iPhone'umdan gönderildi",
    "iPhone, Japanese": "iPhoneから送信",
    "iPhone, Chinese": "发自我的iPhone",
    "Outlook for phones": "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Outlook for phones, German": "Outlook für Android beziehen (https://aka.ms/AAb9ysg)",
    "Windows": "Sent from Mail (https://go.microsoft.com/fwlink/?LinkId=550986) for Windows",
    "Proton": "Sent with Proton Mail secure email.",
    "TypeApp": "Sent from TypeApp<https://typeapp.example/r?b=1>",
}
NOTICES = {
    "English": (
        "This e-mail and any attachments are confidential and intended solely for the addressee. If"
        " you have\n"
        "received it in error, please notify the sender and delete it."
    ),
    "headed": (
        "CONFIDENTIALITY NOTICE: The contents of this email message are intended solely for the"
        " addressee(s)\n"
        "and may contain confidential and/or privileged information."
    ),
    "German": (
        "Diese E-Mail enthält vertrauliche und/oder rechtlich geschützte Informationen. Wenn Sie nicht der\n"
        "richtige Adressat sind oder diese E-Mail irrtümlich erhalten haben, informieren Sie bitte"
        " sofort den\n"
        "Absender und vernichten Sie diese Mail. Das unerlaubte Kopieren ist nicht gestattet."
    ),
    "French": (
        "Ce message et ses pièces jointes sont confidentiels et destinés exclusivement à leurs"
        " destinataires.\n"
        "Si vous avez reçu ce message par erreur, merci de le détruire."
    ),
    "Spanish": (
        "Este mensaje y sus archivos adjuntos son confidenciales y van dirigidos exclusivamente a su\n"
        "destinatario. Si lo ha recibido por error, le rogamos que lo elimine."
    ),
    "two languages": (
        "Diese E-Mail enthält vertrauliche Informationen und ist nur für den bestimmten Empfänger gedacht.\n"
        "Falls Sie sie irrtümlich erhalten haben, löschen Sie sie.\n\nThis message is confidential"
        " and intended"
        " only for the named addressee. If you received it by mistake,\nplease delete it."
    ),
    "trees": "Please consider the environment before printing this email.",
}
FOOTERS = {
    "Mailman": (
        "_______________________________________________\nPotters mailing list\nPotters@lists.example\n"
        "https://lists.example/listinfo/potters"
    ),
    "Mailman 3": (
        "_______________________________________________\nPotters mailing list -- potters@lists.example\n"
        "To unsubscribe send an email to potters-leave@lists.example"
    ),
    "Google Groups": (
        '-- \nYou received this message because you are subscribed to the Google Groups "Potters" group.\n'
        "To unsubscribe from this group, send an email to potters+unsubscribe@groups.example."
    ),
}
BUSINESS = (
    "Mit freundlichen Grüßen\nMia Rossi",
    "Vertrieb\nTöpferei Rossi GmbH\nHauptstr. 5, 12345 Berlin\nTel.: +49 30 1234567\nFax: +49 30 1234568\n"
    "www.rossi.example\nGeschäftsführer: Mia Rossi, Amtsgericht Berlin HRB 12345",
)
CLOSINGS = {
    **{f"signature, {name}": ("signature", text) for name, text in SIGNATURES.items()},
    **{f"notice, {name}": ("notice", text) for name, text in NOTICES.items()},
    **{f"footer, {name}": ("footer", text) for name, text in FOOTERS.items()},
}


def parts(text: str, subject: str = "") -> list[tuple[str, str]]:
    """Return kind and text of each part: what is shown has no kind."""
    found, place = [], 0
    for one in quotes.folds(text, subject):
        found += [("", text[place : one.start]), (one.kind, text[one.start : one.end])]
        place = one.end
    found.append(("", text[place:]))
    assert "".join(words for _, words in found) == text
    return [(kind, words.strip()) for kind, words in found if words.strip()]


@pytest.mark.parametrize("closing", CLOSINGS)
def test_what_closes_a_mail_has_a_fold_of_its_own(closing: str) -> None:
    kind, text = CLOSINGS[closing]
    assert parts(f"{SAID}\n\n{text}") == [("", SAID), (kind, text.strip())]
    assert parts(f"{SAID}\n\n{text}\n\n{QUOTE}") == [("", SAID), (kind, text.strip()), ("quote", QUOTE)]


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_quote_above_what_closes_a_mail_is_folded(closing: str) -> None:
    kind, text = CLOSINGS[closing]
    assert parts(f"{SAID}\n\n{QUOTE}\n\n{text}") == [("", SAID), ("quote", QUOTE), (kind, text.strip())]


def test_everything_that_business_mail_has_is_folded_apart() -> None:
    hello, contact = BUSINESS
    notice, footer = NOTICES["German"], FOOTERS["Mailman"]
    below = f"{contact}\n\n{notice}\n\n{footer}"
    closed = [("signature", contact), ("notice", notice), ("footer", footer)]
    assert parts(f"{SAID}\n\n{hello}\n{below}") == [("", f"{SAID}\n\n{hello}"), *closed]
    assert parts(f"{SAID}\n\n{hello}\n{contact}\n\n{QUOTE}\n\n{notice}\n\n{footer}") == [
        ("", f"{SAID}\n\n{hello}"),
        ("signature", contact),
        ("quote", QUOTE),
        *closed[1:],
    ]


LONG = ON + "\n" + "\n".join(f"> line {number}" for number in range(9))


@pytest.mark.parametrize(
    "text",
    [
        f"{SAID}\n\n{LONG}\n\nAnd one more thing: is it blue?",
        f"{LONG}\n\nYes, two of them.\n\nMia",
        f"Hello Bob,\n\n{LONG}\n\nYes, two of them.\nAnd a plate?\n\n-- \nMia",
    ],
)
def test_what_is_written_below_a_long_quote_stays_shown(text: str) -> None:
    found = parts(text)
    assert ("quote", LONG) in found
    shown = " ".join(words for kind, words in found if not kind)
    assert shown.split() == text.removesuffix("\n\n-- \nMia").replace(LONG, "").split()


@pytest.mark.parametrize(
    "text",
    [
        "Hello\n\n> Do you want blue mugs?\n\nYes.\n\n> Two?\n\nYes, two.",
        f"{ON}> Do you want blue mugs?\n\nYes.\n\n> Two?\n\nYes, two.\n\nMia",
        f"{QUOTE}\n\nYes, two.",
        f"{LONG}\n\nYes.\n\n{LONG}\n\nNo.",
        "A poem:\n\n" + "> a line\n" * 9 + "\nDo you like it?",
    ],
)
def test_answers_between_and_below_quotes_are_read_with_them(text: str) -> None:
    assert parts(text) == [("", text)]


def test_below_answers_between_quotes_the_signature_is_folded() -> None:
    said = f"{ON}> Do you want blue mugs?\n\nYes.\n\n> Two?\n\nYes, two."
    assert parts(f"{said}\n\n-- \nMia\nPottery") == [("", said), ("signature", "-- \nMia\nPottery")]


@pytest.mark.parametrize(
    "text",
    [
        "--\nMia\nPottery",
        "Sent from my iPhone",
        "The first point.\n--\nDo you have the second one as well?",
        "The first point.\n--\nI want three of the blue ones and four of the green ones.",
        "The first point\n--\nThe second point is that nobody answered the letter of the third of May.",
        "Hello,\n\nI received this email in error. Please delete my address from your list.",
        "Hello,\n\nThis message is confidential. Please do not tell my neighbour.",
        "Please send it to Bob.\n\nIf you have received it, please notify the sender.",
        "The parcel was\n\nSent from my office on Monday",
        "Hello,\n\nSent from my kitchen, it has a better phone",
        "Hello,\n\nSent from my phone number yesterday: did you get it?",
        "Hello\n\n----------\nPlease unsubscribe me from the mailing list m@example.org, I get it twice.",
        "Send it to this address:\n\nBest regards\nMia Rossi\nHauptstr. 5\nTel. 030"
        " 1234567\nwww.rossi.example",
        "Hello\n\nBest regards\nMia Rossi\nHauptstr. 5\n12345 Berlin\nTel. 030 1234567",
        "Hello\n\nBest regards\nMia\n\nWhen do you open? Tel. 030 1234567\nwww.rossi.example",
        "Please cancel my order.\n\n-- \nI also want my money back.\nMia",
        "Hello\n\nVirus-free is what I want my computer to be. Can you help?",
        "Hello\n\nThe information in this leaflet says not to use it in error, is prohibited a word"
        " you know?",
    ],
)
def test_what_somebody_wrote_is_never_folded(text: str) -> None:
    assert parts(text) == [("", text)]


def test_words_right_above_a_notice_stay_shown() -> None:
    found = parts(f"Please send it.\n{NOTICES['English']}")
    assert found == [("", "Please send it."), ("notice", NOTICES["English"])]


def test_what_is_passed_on_has_no_folds() -> None:
    text = f"See below.\n\n---------- Forwarded message ---------\n{SAID}\n\n-- \nMia\n"
    assert parts(text, "Fwd: Order") == [("", text.strip())]


@pytest.mark.parametrize(
    "introduction",
    [
        "On Monday,\nMarch 3, 2025 at 10:00:00 AM GMT+1, Shop <a@b.example> wrote:",
        "On Monday, March 3, 2025\nat 10:00 AM, The Shop With A Very Long Name\n<a@b.example> wrote:",
        "Am Montag, 3. März 2025 um\n10:00:00 MEZ hat Shop <a@b.example> Folgendes geschrieben:",
        "Le lundi 3 mars 2025 à 10:00:00 UTC+1, Shop <a@b.example>\na écrit :",
        "El lunes,\n3 de marzo de 2025, 10:00:00 CET, Shop\n<a@b.example> escribió:",
        "3 марта\n2025 г., в 10:00, Shop <a@b.example> написал(а):",
    ],
)
@pytest.mark.parametrize("mark", ["> ", ""])
def test_an_introduction_of_two_or_three_lines_is_folded_whole(introduction: str, mark: str) -> None:
    quoted = f"{introduction}\n\n{mark}Blue mugs?"
    assert parts(f"{SAID}\n\nMia\n\n{quoted}") == [("", f"{SAID}\n\nMia"), ("quote", quoted)]


@pytest.mark.parametrize("answer", ["2", "No", "Montag"])
def test_a_short_answer_above_an_introduction_is_no_part_of_it(answer: str) -> None:
    quoted = "On Mar 8, 2012 9:59 AM, Example <r@example.com> wrote:\n> x"
    assert parts(f"{answer}\n{quoted}") == [("", answer), ("quote", quoted)]


PIECES = [
    "> a",
    ON.strip(),
    "From: a",
    "-- ",
    "--",
    "words",
    "",
    "_" * 20,
    *SIGNATURES.values(),
    *NOTICES.values(),
]


@given(st.lists(st.sampled_from(PIECES)))
def test_nothing_is_lost_and_folds_are_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    place = 0
    for one in quotes.folds(text):
        assert place <= one.start < one.end <= len(text)
        place = one.end
    if text.strip():
        assert any(not kind for kind, _ in parts(text))


@pytest.mark.parametrize(
    "line",
    [
        "-- ",
        "Sent from my " + "a" * 80,
        "This email is confidential " * 40,
        "_" * 40,
        "Best regards",
        "a@" * 90,
    ],
)
def test_hostile_closings_take_no_time(line: str) -> None:
    with takes_at_most(90):
        quotes.folds("\n".join(["x", *[line] * min(20_000, 500_000 // len(line))][:20_000]))


def test_the_thread_shows_each_fold_by_its_name(whole: Desk, data: Path) -> None:
    text = f"{SAID}\n\n{QUOTE}\n\nAnd a plate.\n\n{SIGNATURES['dashes']}\n\n{NOTICES['trees']}"
    text = text.replace(QUOTE, LONG)
    head = "From: mia@example.org\nMessage-ID: <one@example.org>\nSubject: Re: Mugs\n\n"
    whole.deliver((head + text).replace("\n", "\r\n").encode())
    (message,) = messages()
    assert message.text == text
    page = signed_in(whole, data).get(f"/w/{whole.account.workspace_id}/inbox/{message.conversation_id}").text
    bubble = page[page.index('<span class="words" dir="auto">Yes, two') :]
    bubble = bubble[: bubble.index("</div>")]
    shown = re.sub(r"<details.*?</details>", "|", bubble, flags=re.DOTALL)
    assert " ".join(re.sub(r"<[^>]*>", " ", shown).split()) == f"{SAID} | And a plate. ||"
    assert re.findall(r'<summary title="([^"]*)"', bubble) == ["Quoted text", "Signature", "Legal notice"]
    folded = re.findall(r'<span class="words" dir="auto">([^<]*)</span></details>', bubble)
    assert [one.split()[0] for one in folded] == ["On", "--", "Please"]


def test_the_words_of_calendars_are_those_of_the_cldr() -> None:
    found = {
        word
        for language in quotes.LANGUAGES
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for names in (get_day_names(width, context, language), get_month_names(width, context, language))
        for name in names.values()
        for word in re.findall(r"[^\W\d_]+", name.lower())
    }
    assert found == calendar_words.WORDS
