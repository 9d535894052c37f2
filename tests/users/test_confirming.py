"""Confirming that it is still you: at a provider that says when you signed in or does not, and by a code."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import clock, db
from host.models.signing_in import RequirementScope
from host.models.users import AuditEntry, LoginSession, User
from host.users.pages import sudo
from tests.helpers import PASSWORD, Browser, browser, client_for, make_user
from tests.users.test_login import login
from tests.users.test_provider import Liar, _nothing_known, liar, use, who
from tests.users.test_second_factor import code_at, with_app

__all__ = ["_nothing_known", "liar"]

PROTECTED = "/account/security/app"
SOON = sudo.FRESH + timedelta(seconds=1)
UNABLE = "Acme can’t confirm your identity."


def now() -> int:
    return int(clock.now().timestamp())


def travel(client: Browser, liar: Liar, address: str = "/login/provider") -> Any:
    """Go to the provider and come back; return the desk's answer."""
    there = client.get(address)
    assert there.status_code == 302, there.text
    asked = parse_qs(urlsplit(there.location).query)
    liar.nonce = asked["nonce"][0]
    return client.get("/login/provider/back", query_string={"code": "c", "state": asked["state"][0]})


def confirm_page(client: Browser) -> str:
    """Ask for the protected page; return the one that asks to confirm first."""
    answer = client.get(PROTECTED)
    assert answer.status_code == 302, "it was not asked"
    assert answer.location.startswith("/account/confirm?")
    return str(client.get(answer.location).text)


def again_at_provider(client: Browser, liar: Liar) -> Any:
    link = re.search(r'href="(/login/provider\?for=again[^"]+)"', confirm_page(client))
    assert link
    return travel(client, liar, link[1].replace("&amp;", "&"))


def confirmed() -> tuple[str | None, bool]:
    """Return by what the only session was confirmed, and whether that is of now."""
    with db.read() as session:
        row = session.scalars(sa.select(LoginSession)).one()
    return row.confirmed_by, clock.now() - row.confirmed_at < timedelta(minutes=1)


def signed_in_with_a_code(desk: Flask) -> tuple[Browser, list[str]]:
    """Return a browser that signed in with a password and a code, and the recovery codes."""
    mia = make_user()
    secret, codes = with_app(mia)
    client = browser(desk)
    assert client.post_form(login(client, mia.email).location, code=code_at(secret)).status_code == 302
    return client, codes


def test_a_provider_that_says_when_confirms(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    client = browser(desk)
    liar.claims = {"auth_time": now()}
    travel(client, liar)
    assert confirmed() == ("provider", True)
    with clock.travel(SOON):
        liar.claims = {"auth_time": now(), "sub": "else", "email": "else@example.com"}
        assert again_at_provider(client, liar).location.startswith("/account/confirm"), "somebody else's"
        liar.claims = {"auth_time": now()}
        assert again_at_provider(client, liar).location == PROTECTED
        assert client.get(PROTECTED).status_code == 200
    with db.read() as session:
        query = sa.select(AuditEntry.details).where(AuditEntry.action == "session.confirmed")
        assert session.scalars(query).all() == [{"for": PROTECTED, "by": "provider"}]


@pytest.mark.parametrize(
    "auth_time",
    [None, "", "now", True, -1, 0, 1e400, "minutes ago", "in the future", 10**400],
    ids=str,
)
def test_a_provider_that_does_not_say_when_confirms_nothing(
    desk: Flask, liar: Liar, auth_time: object
) -> None:
    use(liar.address)
    client = browser(desk)
    liar.claims = {"auth_time": now()}
    travel(client, liar)
    with clock.travel(SOON):
        moved = {"minutes ago": -400, "in the future": 120}
        value = now() + moved[auth_time] if isinstance(auth_time, str) and auth_time in moved else auth_time
        liar.forge = lambda claims: liar.sign({**claims, "auth_time": value})
        assert again_at_provider(client, liar).location.startswith("/account/confirm")
        assert client.get(PROTECTED).status_code == 302
    assert confirmed()[0] == "provider"


def test_without_auth_time_the_page_says_so_and_offers_the_other_ways(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    mia = make_user("mia@example.com")
    secret, codes = with_app(mia)
    client = browser(desk)
    second = client.post_form(travel(client, liar).location, password=PASSWORD).location
    assert client.post_form(second, code=codes[0]).status_code == 302
    with clock.travel(SOON):
        page = confirm_page(client)
        assert UNABLE in page
        assert "for=again" not in page, "it would be in vain"
        assert 'name="password"' in page
        answer = client.post_form("/account/confirm/code", code="000000", next=PROTECTED)
        assert answer.status_code == 400
        assert "That code is invalid or has expired." in answer.text
        assert client.post_form("/account/confirm/code", next=PROTECTED).status_code == 400
        done = client.post_form("/account/confirm/code", code=code_at(secret), next=PROTECTED)
        assert done.location == PROTECTED
        assert confirmed() == ("code", True)
        again = client.post_form("/account/confirm/code", code=code_at(secret), next=PROTECTED)
        assert again.status_code == 400, "a code counts once"


def test_wrong_codes_have_to_wait(desk: Flask) -> None:
    client, _codes = signed_in_with_a_code(desk)
    tries = [client.post_form("/account/confirm/code", code=f"00000{n}").status_code for n in range(7)]
    assert tries == [400] * 5 + [429] * 2


def test_a_recovery_code_confirms_once(desk: Flask) -> None:
    client, codes = signed_in_with_a_code(desk)
    with clock.travel(SOON):
        assert client.post_form("/account/confirm/code", code=codes[0], next=PROTECTED).status_code == 302
        assert client.post_form("/account/confirm/code", code=codes[0], next=PROTECTED).status_code == 400


def test_the_provider_alone_leads_to_a_protected_page_by_the_documented_way(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    client = browser(desk)
    travel(client, liar)
    assert who(client) == "mia@example.com"
    page = client.get("/account/security").text
    assert UNABLE in page, "said before it is needed"
    with clock.travel(SOON):
        page = confirm_page(client)
        assert UNABLE in page
        assert "Sign out and sign in again" in page
        assert "for=again" not in page
        client.post_form("/logout")
        travel(client, liar)
        assert client.get(PROTECTED).status_code == 200
        with db.read() as session:
            mia = session.scalars(sa.select(User)).one()
        secret, _codes = with_app(mia)
    with clock.travel(2 * SOON):
        client = browser(desk)
        second = travel(client, liar).location
        assert client.post_form(second, code=code_at(secret)).status_code == 302
    with clock.travel(3 * SOON):
        assert "Sign out and sign in again" not in confirm_page(client)
        done = client.post_form("/account/confirm/code", code=code_at(secret), next=PROTECTED)
        assert done.location == PROTECTED
    assert UNABLE not in client.get("/account/security").text, "they have another way now"


@pytest.mark.parametrize("auth_time", [None, timedelta(hours=3)])
def test_signing_in_where_nobody_was_asked_confirms_nothing(
    desk: Flask, liar: Liar, auth_time: timedelta | None
) -> None:
    """Else signing out and in again would confirm for whoever sits at a browser that is signed in there."""
    use(liar.address)
    make_user("mia@example.com")
    client = browser(desk)
    client.post_form(travel(client, liar).location, password=PASSWORD)
    assert confirmed() == ("password", True)
    client.post_form("/logout")
    liar.claims = {} if auth_time is None else {"auth_time": now() - int(auth_time.total_seconds())}
    travel(client, liar)
    page = confirm_page(client)
    assert ("for=again" in page) is (auth_time is not None)
    assert client.post_form("/account/confirm", password=PASSWORD, next=PROTECTED).location == PROTECTED
    assert client.get(PROTECTED).status_code == 200


def test_settings_say_that_a_provider_cannot_confirm_until_it_can(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    admin = client_for(desk, make_user(is_admin=True))
    notice = "Acme can’t confirm people’s identity."
    assert notice not in admin.get("/admin/sign-in").text, "nobody knows yet"
    assert "if its ID tokens contain auth_time" in admin.get("/admin/sign-in").text
    travel(browser(desk), liar)
    assert notice in admin.get("/admin/sign-in").text
    use(liar.address)
    assert notice not in admin.get("/admin/sign-in").text, "saving asks anew"
    travel(browser(desk), liar)
    assert notice in admin.get("/admin/sign-in").text
    liar.claims = {"auth_time": now()}
    travel(browser(desk), liar)
    assert notice not in admin.get("/admin/sign-in").text


def test_an_ordinary_sign_in_has_the_provider_say_when(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    asked = parse_qs(urlsplit(browser(desk).get("/login/provider").location).query)
    assert int(asked["max_age"][0]) >= timedelta(days=365).total_seconds()
    assert "prompt" not in asked


@pytest.mark.parametrize(
    ("token", "info", "known"),
    [
        ({"email": "boss@example.com", "email_verified": None}, {"email": "x@example.com"}, False),
        ({"email": "boss@example.com", "email_verified": None}, {}, False),
        (
            {"email": None, "email_verified": True},
            {"email": "boss@example.com", "email_verified": False},
            False,
        ),
        ({"email": None}, {"email": "boss@example.com", "email_verified": True}, True),
        ({"email": "boss@example.com"}, {"email": "x@example.com", "email_verified": False}, True),
    ],
)
def test_address_and_whether_it_is_verified_come_from_one_source(
    desk: Flask, liar: Liar, token: dict[str, Any], info: dict[str, Any], known: bool
) -> None:
    use(liar.address)
    liar.metadata = {"userinfo_endpoint": f"{liar.address}/userinfo"}
    liar.claims = token
    liar.info = {"sub": "liar", "email_verified": True, **info}
    client = browser(desk)
    travel(client, liar)
    assert who(client) == ("boss@example.com" if known else "")


def test_a_second_factor_after_the_password_confirms_by_that(desk: Flask) -> None:
    signed_in_with_a_code(desk)
    assert confirmed() == ("code", True)


def test_a_trusted_provider_confirms_only_what_it_says(desk: Flask, liar: Liar) -> None:
    use(liar.address, trusted=True, passwords=RequirementScope.EVERYBODY)
    client = browser(desk)
    liar.claims = {"auth_time": now() - 3600}
    travel(client, liar)
    assert who(client) == "mia@example.com"
    assert UNABLE not in confirm_page(client)
