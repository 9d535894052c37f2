"""What a mail quotes is found as large clients write it, and nothing is ever cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.builtin.email.mail import quotes

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


@given(
    st.lists(st.sampled_from(["> a", "On x wrote:", "From: a", "Sent: b", "To: c", "words", "", "_" * 20]))
)
def test_nothing_is_lost_and_something_stays_seen(lines: list[str]) -> None:
    text = "\n".join(lines)
    place = quotes.start(text)
    assert place is None or (0 < place <= len(text) + 1 and text[:place].strip())


@pytest.mark.parametrize(
    "line", ["On " + "a" * 3000, "From: a", "> ", "am on on on on ", "-" * 2000 + "x", "On a wrote"]
)
def test_hostile_lines_take_no_time(line: str) -> None:
    began = time.process_time()
    quotes.start("\n".join(["x", *[line] * (500_000 // len(line))][:20_000]))
    assert time.process_time() - began < 3
