"""What the own mail server says about a sender, and what forgers write themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from addons.email.lobby_mail.mail import authentication, headers
from host.sdk import settings
from tests.email.test_parsing import mail, raw, read
from tests.helpers import takes_at_most

SERVER = "mx.shop.example"


@pytest.fixture(autouse=True)
def _named() -> Iterator[None]:
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_authserv_id": SERVER})
    yield
    settings.provide("", {"public_url": "http://127.0.0.1:8080"})


def results(*written: str, sender: str = "mia@example.org") -> dict[str, str] | None:
    head = "".join(f"Authentication-Results: {each}\r\n" for each in written)
    message = headers.parse_mail(f"{head}From: {sender}\r\n\r\n".encode())
    return authentication.results(message, SERVER)


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("spf=pass smtp.mailfrom=example.org; dkim=pass header.d=example.org; dmarc=pass", "pass"),
        ("spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example; dmarc=fail", "fail"),
        ("dmarc=fail (p=reject; dmarc=pass) header.from=example.org", "fail"),
        ("spf=pass smtp.mailfrom=bounce@example.org", "pass"),
        ("spf=pass smtp.mailfrom=evil.example", "none"),
        ("spf=pass smtp.helo=example.org", "none"),
        ("dkim=pass header.i=@example.org", "pass"),
        ("dkim=pass header.d=notexample.org", "none"),
        ("dkim=pass header.d=sub.example.org", "none"),
        ("dkim=fail header.d=example.org; dkim=pass header.d=example.org", "pass"),
        ("dkim=fail header.d=example.org; spf=softfail smtp.mailfrom=example.org; dmarc=none", "none"),
        ('dkim=neutral (why "(" )) reason="dkim=pass header.d=example.org"', "none"),
        ('spf=pass smtp.mailfrom="a; dkim=pass header.d=example.org"@evil.example', "none"),
        ("DKIM / 1 = PASS header.d=Example.ORG", "pass"),
        ("none", "none"),
        ("", "none"),
    ],
)
def test_the_verdict_of_the_own_server(written: str, verdict: str) -> None:
    found = results(f"{SERVER}; {written}")
    assert found is not None
    assert found["verdict"] == verdict


def test_a_domain_signs_for_those_below_it() -> None:
    found = results(f"{SERVER}; dkim=pass header.d=example.org", sender="a@mail.example.org")
    assert found == {"dkim": "pass", "verdict": "pass"}


def test_only_the_own_servers_word_counts_and_of_two_the_upper() -> None:
    assert results("mx.evil.example; dmarc=pass") is None
    assert results(f"{SERVER}.evil.example; dmarc=pass") is None
    assert results(f"(c) {SERVER.upper()} 1; dmarc=fail", f"{SERVER}; dmarc=pass") == {
        "dmarc": "fail",
        "verdict": "fail",
    }
    assert results() is None


def test_each_of_several_servers_is_believed_and_no_other() -> None:
    settings.provide("", {"public_url": "", "smtp_authserv_id": f"mx.google.example, {SERVER},"})

    def found(*written: str) -> object:
        lines = "".join(f"Authentication-Results: {each}\r\n" for each in written)
        got = read(f"{lines}From: mia@example.org\r\n\r\nHello".encode())
        return got.content.get("sender_check")

    for name in (SERVER, "MX.Google.example"):
        assert found(f"{name}; dmarc=fail", "mx.google.example; dmarc=pass") == {
            "dmarc": "fail",
            "verdict": "fail",
        }
    assert found("google.example; dmarc=pass") is None
    assert found("; dmarc=pass") is None


def test_who_says_they_are_several_is_not_confirmed() -> None:
    found = results(f"{SERVER}; dmarc=pass", sender="mia@example.org, boss@shop.example")
    assert found is not None
    assert found["verdict"] == "none"


def test_without_a_configured_server_nothing_is_said() -> None:
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_authserv_id": ""})
    assert "sender_check" not in read(raw(mail(Authentication_Results=f"{SERVER}; dmarc=pass"))).content


def test_a_message_holds_what_was_found() -> None:
    got = read(raw(mail(Authentication_Results=f"{SERVER}; dmarc=fail")))
    assert got.content["sender_check"] == {"dmarc": "fail", "verdict": "fail"}


@pytest.mark.parametrize(
    ("written", "head", "proved"),
    [
        ("dmarc=pass", {}, True),
        ("dmarc=fail", {}, False),
        ("spf=pass smtp.mailfrom=evil.example", {}, False),
        ("dmarc=pass", {"Reply_To": "boss@bank.example"}, False),
        ("dmarc=pass", {"Reply_To": "mia@example.org"}, True),
        ("", {}, False),
    ],
)
def test_an_address_is_proved_by_our_server_alone(written: str, head: dict[str, str], proved: bool) -> None:
    if written:
        head = {**head, "Authentication_Results": f"{SERVER}; {written}"}
    assert read(raw(mail(**head))).contact_email_verified is proved


@pytest.mark.parametrize(
    ("sender", "answer", "elsewhere"),
    [
        ("boss@bank.example", "boss@evil.example", "boss@evil.example"),
        ("boss@bank.example", "boss@bank.example.evil.example", "boss@bank.example.evil.example"),
        ("boss@notbank.example", "boss@bank.example", "boss@bank.example"),
        ("news@mail.bank.example", "help@bank.example", None),
        ("mia@bank.example", "mia.rossi@bank.example", None),
        # A contact form of ours: it says it is from us, and the visitor is shown.
        ("hello@shop.example", "mia@example.org", None),
    ],
)
def test_an_answer_that_goes_to_another_domain_is_told(
    sender: str, answer: str, elsewhere: str | None
) -> None:
    got = read(raw(mail(From=sender, Reply_To=answer)))
    assert got.content.get("answer_elsewhere") == elsewhere


@pytest.mark.parametrize(
    "junk",
    [
        "(" * 16_000,
        '"' * 16_000,
        ";" * 16_000,
        "spf=" * 4_000,
        "dkim=pass " + "header.d=" * 1_700,
        "\\" * 16_000,
    ],
)
def test_a_header_made_to_be_slow_is_read_fast(junk: str) -> None:
    with takes_at_most(30):
        results(f"{SERVER}; {junk}")
