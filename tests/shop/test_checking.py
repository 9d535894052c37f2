"""What an owner reads after *Save and check* of the shop's settings, against a stand-in shop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Response

from host.core import guard
from host.sdk.cards import Problems
from host.sdk.http import Client
from host.sdk.secrets import Secret
from host.sdk.testing import provided_settings
from sandbox.shop import KEY, SECRET, WEBHOOK_SECRET, Shop
from tests.shop.test_shop import module

checking = module("checking")
woocommerce = module("woocommerce")


@contextmanager
def filled_in(url: str, key: str = KEY, secret: str = SECRET, webhook: str = "") -> Iterator[None]:
    given: dict[str, str | int | float | bool | Secret] = {"url": url, "key": key, "secret": Secret(secret)}
    if webhook:
        given["webhook_secret"] = Secret(webhook)
    with provided_settings("shop", workspace=given):
        yield


def problem() -> tuple[str, str]:
    """Return the one problem that the check finds: its field, and the sentence."""
    found = checking.check(1)
    assert isinstance(found, Problems), found
    ((name, sentence),) = found.by_field.items()
    assert SECRET not in sentence
    assert KEY not in sentence
    return name, str(sentence)


def answering(shop: Shop, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
    shop.answers.append(Response(body, status, headers, content_type=kind))


def test_a_shop_that_answers_is_fine_and_is_asked_for_one_id(shop: Shop) -> None:
    shop.add("ana@example.com", (1, "Mug", "18.00"))
    assert checking.check(1) == "The shop answered, and Lobby can read its orders."
    assert shop.asked == [{"per_page": "1", "_fields": "id"}]
    with filled_in(f"{shop.url}/"):
        assert str(checking.check(1)).endswith("Without a webhook secret, rules can't check for open orders.")


@pytest.mark.parametrize(
    ("key", "secret", "field", "said"),
    [
        ("ck_other", SECRET, "key", "The shop doesn't know this key."),
        (KEY, "cs_other", "secret", "The shop knows the key, but not with this secret."),
        (KEY, "ck_other", "secret", "This is the consumer key. Enter the consumer secret"),
        ("cs_other", SECRET, "key", "This is the consumer secret. Enter the consumer key"),
        ("mia", SECRET, "key", "This is no consumer key, which begins with ck_."),
        (KEY, "a password", "secret", "This is no consumer secret, which begins with cs_."),
    ],
)
def test_which_part_of_the_key_is_wrong(shop: Shop, key: str, secret: str, field: str, said: str) -> None:
    with filled_in(shop.url, key, secret, WEBHOOK_SECRET):
        name, sentence = problem()
    assert (name, sentence[: len(said)]) == (field, said)


def test_a_key_that_may_only_write(shop: Shop) -> None:
    shop.may_read = False
    assert problem() == ("key", "This key may not read. Create one with the permission Read.")


@pytest.mark.parametrize(
    ("status", "body", "kind", "field", "said"),
    [
        (404, "<h1>Not found</h1>", "text/html", "url", "No WooCommerce shop answers at this address."),
        (200, "<h1>My holidays</h1>", "text/html", "url", "No WooCommerce shop answers at this address."),
        (200, '{"a": 1}', "application/json", "url", "No WooCommerce shop answers at this address."),
        (
            404,
            '{"code": "rest_no_route", "message": "No route"}',
            "application/json",
            "url",
            "This is a WordPress site, but it has no WooCommerce.",
        ),
        (401, "Who are you?", "text/plain", "url", "The site refused the request (401) before WooCommerce"),
        (
            403,
            "<h1>Firewall</h1>",
            "text/html",
            "url",
            "The site refused the request (403) before WooCommerce",
        ),
        (
            403,
            '{"code": "woocommerce_rest_cannot_view", "message": "Sorry"}',
            "application/json",
            "key",
            "The user of this key may not see orders.",
        ),
        (
            401,
            '{"code": "woocommerce_rest_authentication_error", "message": "Geheimnis ung\\u00fcltig."}',
            "application/json",
            "secret",
            "The shop knows the key, but not with this secret.",
        ),
        (503, "", "text/plain", "url", "The shop answered with the error 503. Try again later"),
        (429, "", "text/plain", "url", "The shop answered with the error 429. Try again later"),
    ],
)
def test_each_answer_has_its_sentence(
    shop: Shop, status: int, body: str, kind: str, field: str, said: str
) -> None:
    answering(shop, status, body, kind)
    name, sentence = problem()
    assert (name, sentence[: len(said)]) == (field, said)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (
            "https://www.shop.example/wp-json/?consumer_secret=x",
            "This address leads to https://www.shop.example. Enter that one.",
        ),
        ("/somewhere", "This address leads to another page."),
        ("https://a:b@shop.example/", "This address leads to another page."),
    ],
)
def test_an_address_that_leads_elsewhere(shop: Shop, location: str, said: str) -> None:
    answering(shop, 301, "", Location=location)
    name, sentence = problem()
    assert (name, sentence[: len(said)]) == ("url", said)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example.com", "Enter the address with https://."),
        ("https://shop.example.com:8443", "Enter the shop's public name, without a port"),
        ("https://127.0.0.1", "127.0.0.1 is a private address, which Lobby may not reach."),
    ],
)
def test_an_address_that_is_never_asked(shop: Shop, url: str, said: str) -> None:
    with filled_in(url):
        name, sentence = problem()
    assert (name, sentence[: len(said)]) == ("url", said)
    assert shop.asked == []


def test_names_that_lead_nowhere_or_inside(shop: Shop) -> None:
    with filled_in("https://no-such-shop.invalid"):
        assert problem()[1].startswith("There is no server named no-such-shop.invalid.")


def test_a_shop_on_the_local_network(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.7", 443))]
    monkeypatch.setattr(guard, "getaddrinfo", lambda *_a, **_k: inside)
    with filled_in("https://shop.example.com"):
        assert problem()[1].startswith("shop.example.com is a private address, which Lobby may not reach.")


def test_a_shop_that_does_not_answer_in_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(frozenset(), read_timeout=0.2, total_timeout=0.4)
    monkeypatch.setattr(woocommerce, "client_of", lambda _shop: client)
    shop.may_answer.clear()
    assert problem()[1].startswith("127.0.0.1 did not answer in time.")


def test_a_server_without_a_valid_certificate_or_none_at_all(shop: Shop) -> None:
    with filled_in(shop.url.replace("http:", "https:")):
        assert problem()[1].startswith("127.0.0.1 has no valid certificate")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    guard.allow([f"127.0.0.1:{port}"])
    with filled_in(f"http://127.0.0.1:{port}"):
        assert problem()[1].startswith("127.0.0.1 could not be reached.")
