"""Signing in through a provider over real sockets: one that is honest, and one that is not."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey

from host.core import clock, db, guard
from host.core.secrets import Secret
from host.models.signing_in import ProviderIdentity, RequirementScope, SignInSettings
from host.models.users import AuditEntry, Membership, Role, User
from host.users import invitations, users
from host.users.signin import oidc, settings
from host.users.signin.settings import GroupRule
from tests.helpers import (
    PASSWORD,
    Browser,
    browser,
    build_app,
    client_for,
    do,
    do_desk,
    join,
    make_user,
    make_workspace,
    serving,
)
from tests.users.test_login import login
from tests.users.test_second_factor import with_app

CLIENT = "lobby"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""The provider of the tests calls what its own libraries will not have for ever."""


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    oidc.reset()
    yield
    oidc.reset()
    guard.allow(())


@pytest.fixture(scope="module")
def honest() -> Iterator[str]:
    """oidc-provider-mock on a port of its own; its address."""
    from oidc_provider_mock import run_server_in_thread

    with pytest.MonkeyPatch.context() as patch, run_server_in_thread() as server:
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        yield f"http://localhost:{server.server_port}"


def use(issuer: str, **more: Any) -> None:
    """Have people sign in through the provider at *issuer*, which may be reached although it is local."""
    guard.allow((), (), [urlsplit(issuer).netloc])
    values: dict[str, Any] = {
        "issuer": issuer,
        "client_id": CLIENT,
        "secret": Secret("a secret of ours"),
        "keep_secret": False,
        "label": "Acme",
        "passwords": RequirementScope.EVERYBODY,
        "joins": True,
        "trusted": False,
        "groups_claim": "groups",
        "groups": [],
    }
    do_desk(settings.save_provider, **{**values, **more})


def person_there(issuer: str, subject: str, **claims: Any) -> None:
    """Have the honest provider know somebody."""
    requests.put(f"{issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()


def go(client: Browser, address: str = "/login/provider") -> str:
    """Begin at the desk; return the address at the provider."""
    answer = client.get(address)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def agree(url: str, subject: str) -> str:
    """Sign in at the honest provider; return path and query of where it sends the browser back to."""
    answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def arrive(client: Browser, subject: str, address: str = "/login/provider") -> Any:
    """Go all the way as *subject*; return the desk's answer."""
    return client.get(agree(go(client, address), subject))


def who(client: Browser) -> str:
    """Return the address of who is signed in; empty: nobody."""
    page = client.get("/account")
    found = re.search(r'<p class="any">\s*<span translate="no">([^<]+)<', page.text)
    return found[1] if page.status_code == 200 and found else ""


def said(client: Browser) -> str:
    """Return what the sign-in page says."""
    return str(client.get("/login").text)


def identities() -> int:
    with db.read() as session:
        return len(session.scalars(sa.select(ProviderIdentity)).all())


# The honest one


def test_somebody_new_gets_an_account_and_comes_back_to_it(desk: Flask, honest: str) -> None:
    use(honest)
    person_there(honest, "sub-new", email="Noor@Example.com", email_verified=True, name="Noor O.")
    client = browser(desk)
    assert "Sign in with Acme" in said(client)
    answer = arrive(client, "sub-new", "/login/provider?next=/account/confirm")
    assert (answer.status_code, answer.location) == (302, "/account/confirm")
    assert who(client) == "noor@example.com"
    assert "through Acme ·" in client.get("/account").text
    person_there(honest, "sub-new", email="other@example.com", email_verified=False)
    again = browser(desk)
    assert arrive(again, "sub-new").status_code == 302
    assert who(again) == "noor@example.com", "the subject says who it is, not the address"
    with db.read() as session:
        actions = session.scalars(sa.select(AuditEntry.action)).all()
    assert "user.came" in actions
    assert "session.started" in actions


def test_what_is_asked_for_has_a_challenge_a_state_and_a_nonce(desk: Flask, honest: str) -> None:
    use(honest)
    first, second = (parse_qs(urlsplit(go(browser(desk))).query) for _ in range(2))
    assert first["code_challenge_method"] == ["S256"]
    assert len(first["code_challenge"][0]) == 43
    assert first["redirect_uri"] == ["http://127.0.0.1:8080/login/provider/back"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name][0]) >= 32


def test_an_address_that_is_not_verified_opens_nothing(desk: Flask, honest: str) -> None:
    use(honest)
    for claims in ({"email_verified": False}, {}, {"email_verified": "yes"}, {"email_verified": 1}):
        person_there(honest, "sub-unverified", email="x@example.com", **claims)
        client = browser(desk)
        assert arrive(client, "sub-unverified").location == "/login?next=/"
        assert "does not report your email address as verified" in said(client)
        assert who(client) == ""


def test_people_nobody_added_or_invited_stay_outside_where_the_setting_says_so(
    desk: Flask, honest: str
) -> None:
    use(honest, joins=False)
    person_there(honest, "sub-guest", email="guest@example.com", email_verified=True)
    client = browser(desk)
    arrive(client, "sub-guest")
    assert "No account found for guest@example.com." in said(client)
    workspace = make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER)
    token = do(
        invitations.invite,
        workspace,
        email="guest@example.com",
        role=Role.AGENT,
        actor=owner.id,
    )
    assert "/login/provider?next=" in client.get(f"/invite/{token}").text
    answer = arrive(client, "sub-guest", f"/login/provider?next=/invite/{token}")
    assert answer.location == f"/invite/{token}"
    assert client.post_form(f"/invite/{token}").location == "/"
    assert who(client) == "guest@example.com"


def test_an_account_with_a_password_is_joined_by_who_knows_it_and_nobody_else(
    desk: Flask, honest: str
) -> None:
    use(honest)
    mia = make_user("mia@example.com")
    person_there(honest, "sub-mia", email="mia@example.com", email_verified=True)
    client = browser(desk)
    answer = arrive(client, "sub-mia", "/login/provider?next=/account")
    assert answer.location.startswith("/login/join/")
    assert who(client) == ""
    assert client.post_form(answer.location, password="not the password").status_code == 401
    assert identities() == 0
    assert browser(desk).post_form(answer.location, password=PASSWORD).location == "/login"
    done = client.post_form(answer.location, password=PASSWORD)
    assert done.location == "/account"
    assert who(client) == mia.email
    again = browser(desk)
    arrive(again, "sub-mia")
    assert who(again) == mia.email


def test_a_second_factor_comes_before_the_joining(desk: Flask, honest: str) -> None:
    use(honest, trusted=True)
    mia = make_user("second@example.com")
    _secret, codes = with_app(mia)
    person_there(honest, "sub-second", email=mia.email, email_verified=True)
    client = browser(desk)
    answer = client.post_form(arrive(client, "sub-second").location, password=PASSWORD)
    assert answer.location.startswith("/login/second/")
    assert identities() == 0
    assert client.post_form(answer.location, code=codes[0]).location == "/"
    assert identities() == 1
    again = browser(desk)
    assert arrive(again, "sub-second").location == "/", "the provider is trusted with that"
    assert who(again) == mia.email
    use(honest, trusted=False)
    assert arrive(browser(desk), "sub-second").location.startswith("/login/second/")


def test_an_account_nobody_ever_used_is_theirs_unless_it_is_an_admins(desk: Flask, honest: str) -> None:
    use(honest, joins=False)
    db.write(users.create, "added@example.com", "Added", None)
    db.write(users.create, "boss@example.com", "Boss", None, True)
    person_there(honest, "sub-added", email="added@example.com", email_verified=True)
    person_there(honest, "sub-boss", email="boss@example.com", email_verified=True)
    client = browser(desk)
    assert arrive(client, "sub-added").location == "/"
    assert who(client) == "added@example.com"
    refused = arrive(browser(desk), "sub-boss")
    assert refused.location.startswith("/login/join/")


def test_who_is_locked_out_stays_out(desk: Flask, honest: str) -> None:
    use(honest)
    person_there(honest, "sub-off", email="off@example.com", email_verified=True)
    client = browser(desk)
    arrive(client, "sub-off")
    with db.read() as session:
        found = users.by_email(session, "off@example.com")
    db.write(users.disable, found.id)
    client = browser(desk)
    arrive(client, "sub-off")
    assert who(client) == ""
    assert "Your account is locked out." in said(client)


def test_people_join_the_two_on_the_page_of_their_account_and_part_them(desk: Flask, honest: str) -> None:
    use(honest, joins=False)
    mia, jo = make_user(), make_user()
    person_there(honest, "sub-page", email="elsewhere@example.com", email_verified=True)
    hers = client_for(desk, mia)
    link = re.search(r'href="(/login/provider\?for=join[^"]+)"', hers.get("/account/security").text)
    assert link
    address = link[1].replace("&amp;", "&")
    assert client_for(desk, jo).get(address).status_code == 403, "not begun on a page of theirs"
    assert hers.get("/login/provider?for=join").status_code == 403
    assert arrive(hers, "sub-page", address).location == "/account/security"
    fresh = browser(desk)
    arrive(fresh, "sub-page")
    assert who(fresh) == mia.email
    his = client_for(desk, jo)
    link = re.search(r'href="(/login/provider\?for=join[^"]+)"', his.get("/account/security").text)
    assert link
    arrive(his, "sub-page", link[1].replace("&amp;", "&"))
    assert "already linked to another" in his.get("/account/security").text
    with db.read() as session:
        number = session.scalars(sa.select(ProviderIdentity.id)).one()
    assert his.post_form(f"/account/security/provider/{number}/remove").status_code == 404
    assert hers.post_form(f"/account/security/provider/{number}/remove").status_code == 302
    assert identities() == 0


def test_who_has_no_password_does_not_part_from_the_provider(desk: Flask, honest: str) -> None:
    use(honest)
    person_there(honest, "sub-alone", email="alone@example.com", email_verified=True)
    client = browser(desk)
    arrive(client, "sub-alone")
    with db.read() as session:
        number = session.scalars(sa.select(ProviderIdentity.id)).one()
    client.post_form(f"/account/security/provider/{number}/remove")
    assert "would not be able to sign in" in client.get("/account/security").text


def test_passwords_may_be_for_admins_alone(desk: Flask, honest: str) -> None:
    mia, admin = make_user(), make_user(is_admin=True)
    assert login(browser(desk), mia.email).status_code == 302
    use(honest, passwords=RequirementScope.ADMINS)
    refused = login(browser(desk), mia.email)
    assert refused.status_code == 401
    assert "Only desk admins can sign in with a password." in refused.text
    assert login(browser(desk), admin.email).status_code == 302
    do_desk(
        settings.save_provider,
        issuer="",
        client_id="",
        secret=None,
        keep_secret=False,
        label="",
        passwords=RequirementScope.ADMINS,
        joins=False,
        trusted=False,
        groups_claim="groups",
        groups=[],
    )
    assert login(browser(desk), mia.email).status_code == 302, "without a provider nobody is locked out"


def test_a_provider_the_desk_trusts_is_a_second_factor(desk: Flask, honest: str) -> None:
    use(honest, trusted=True)
    do_desk(settings.save_second_factor, RequirementScope.EVERYBODY)
    person_there(honest, "sub-trusted", email="trusted@example.com", email_verified=True)
    client = browser(desk)
    arrive(client, "sub-trusted")
    assert who(client) == "trusted@example.com"
    assert "through Acme ·" in client.get("/account").text
    use(honest, trusted=False)
    client = browser(desk)
    arrive(client, "sub-trusted")
    assert client.get("/account").location.startswith("/account/security")


# Groups


def roles_of(email: str) -> dict[int, str]:
    with db.read() as session:
        query = sa.select(Membership.workspace_id, Membership.role).join(User).where(User.email == email)
        return {row[0]: row[1] for row in session.execute(query)}


def test_groups_give_roles_and_take_them(desk: Flask, honest: str) -> None:
    first, second, third = make_workspace("One"), make_workspace("Two"), make_workspace("Three")
    owner = make_user(workspace=first, role=Role.OWNER, is_admin=True)
    use(
        honest,
        groups=[
            GroupRule("support", first, Role.AGENT),
            GroupRule("leads", first, Role.LEAD),
            GroupRule("*", second, Role.AUDITOR),
            GroupRule("it"),
        ],
    )
    email = "groups@example.com"

    def come(**claims: Any) -> None:
        person_there(honest, "sub-groups", email=email, email_verified=True, **claims)
        assert arrive(browser(desk), "sub-groups").status_code == 302

    def is_admin() -> bool:
        with db.read() as session:
            return users.by_email(session, email).is_admin

    come(groups=["support", "leads", "it", 7])
    assert roles_of(email) == {first: "lead", second: "auditor"}
    assert is_admin()
    with db.read() as session:
        user = users.by_email(session, email)
    join(third, user, Role.OWNER)
    come(groups=["support"])
    assert roles_of(email) == {first: "agent", second: "auditor", third: "owner"}
    assert not is_admin()
    come()
    assert roles_of(email) == {first: "agent", second: "auditor", third: "owner"}, "nothing said: as it was"
    come(groups=[])
    assert roles_of(email) == {second: "auditor", third: "owner"}
    assert roles_of(owner.email) == {first: "owner"}
    with db.read() as session:
        by = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "member.role_changed")).all()
    assert [row.details["by"] for row in by] == ["provider"]


def test_the_last_admin_and_the_last_owner_stay_what_they_are(desk: Flask, honest: str) -> None:
    workspace = make_workspace()
    use(honest, groups=[GroupRule("owners", workspace, Role.OWNER), GroupRule("it")])
    email = "last@example.com"
    person_there(honest, "sub-last", email=email, email_verified=True, groups=["owners", "it"])
    arrive(browser(desk), "sub-last")
    person_there(honest, "sub-last", email=email, email_verified=True, groups=[])
    client = browser(desk)
    assert arrive(client, "sub-last").location == "/"
    assert roles_of(email) == {workspace: "owner"}
    assert client.get("/admin/people").status_code == 200


# The dishonest one


class Liar:
    """A provider that says what a test wants it to."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.claims: dict[str, Any] = {}
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.metadata: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self.status = 200
        self.info: dict[str, Any] = {"sub": "somebody else"}
        self.address = ""
        self.nonce = ""
        self.lock = threading.Lock()
        self.app = Flask("liar")
        self.app.add_url_rule("/.well-known/openid-configuration", "config", self._config)
        self.app.add_url_rule("/jwks", "jwks", lambda: jsonify(keys=[self.key.as_dict(private=False)]))
        self.app.add_url_rule("/token", "token", self._token, methods=["POST"])
        self.app.add_url_rule("/userinfo", "userinfo", lambda: jsonify(self.info))

    def _config(self) -> Any:
        return jsonify(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/jwks",
                **self.metadata,
            }
        )

    def good(self) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        return {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "liar",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "mia@example.com",
            "email_verified": True,
        }

    def sign(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one", **header}, claims, key or self.key)

    def _token(self) -> Any:
        self.asked.append(dict(request.form))
        claims = {name: value for name, value in {**self.good(), **self.claims}.items() if value is not None}
        token = self.forge(claims) if self.forge else self.sign(claims)
        return jsonify(access_token="opaque", token_type="Bearer", id_token=token), self.status


@pytest.fixture
def liar() -> Iterator[Liar]:
    it = Liar()
    with serving(it.app) as server:
        it.address = f"http://127.0.0.1:{server.port}"
        yield it


def try_it(desk: Flask, liar: Liar, **query: str) -> Browser:
    """Come back from the liar; return the browser."""
    client = browser(desk)
    asked = parse_qs(urlsplit(go(client)).query)
    liar.nonce = asked["nonce"][0]
    client.get("/login/provider/back", query_string={"code": "c", "state": asked["state"][0], **query})
    return client


def test_what_is_right_is_believed(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    assert who(try_it(desk, liar)) == "mia@example.com"
    assert len(liar.asked[0]["code_verifier"]) >= 43


def written(header: dict[str, str], claims: dict[str, Any], key: bytes = b"") -> str:
    """Return a token as no library would make it: unsigned, or signed with a key that is no secret."""
    parts = [urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)]
    signed = b".".join(parts)
    mac = hmac.new(key, signed, hashlib.sha256).digest() if key else b""
    return (signed + b"." + urlsafe_b64encode(mac).rstrip(b"=")).decode()


def unsigned(_liar: Liar, claims: dict[str, Any]) -> str:
    return written({"alg": "none"}, claims)


def with_our_secret(_liar: Liar, claims: dict[str, Any]) -> str:
    return written({"alg": "HS256", "kid": "one"}, claims, b"a secret of ours")


def with_their_public_key(liar: Liar, claims: dict[str, Any]) -> str:
    return written({"alg": "HS256", "kid": "one"}, claims, liar.key.as_pem(private=False))


def with_another_key(liar: Liar, claims: dict[str, Any]) -> str:
    return liar.sign(claims, RSAKey.generate_key(2048, parameters={"kid": "one"}))


@pytest.mark.parametrize(
    "forge",
    [unsigned, with_our_secret, with_their_public_key, with_another_key, lambda *_: "x", lambda *_: ""],
)
def test_a_token_somebody_else_signed_is_not_believed(
    desk: Flask, liar: Liar, forge: Callable[[Liar, dict[str, Any]], str]
) -> None:
    use(liar.address)
    liar.forge = lambda claims: forge(liar, claims)
    client = try_it(desk, liar)
    assert who(client) == ""
    assert "is invalid. Try again" in said(client)


WRONG: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another client"},
    {"aud": [CLIENT, "another"]},
    {"aud": ["another"], "azp": CLIENT},
    {"azp": "another"},
    {"iss": "https://another.example.com"},
    {"iss": None},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"exp": 1},
    {"exp": None},
    {"iat": 99999999999},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
]


@pytest.mark.parametrize("claims", WRONG, ids=json.dumps)
def test_a_token_with_a_wrong_claim_is_not_believed(desk: Flask, liar: Liar, claims: dict[str, Any]) -> None:
    use(liar.address)
    liar.claims = claims
    assert who(try_it(desk, liar)) == ""


@pytest.mark.parametrize(("seconds", "believed"), [(-45, True), (-90, False)])
def test_its_clock_may_be_a_minute_off(desk: Flask, liar: Liar, seconds: int, believed: bool) -> None:
    use(liar.address)
    liar.claims = {"exp": int(clock.now().timestamp()) + seconds}
    assert bool(who(try_it(desk, liar))) is believed


def test_what_another_provider_answers_is_refused(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    assert who(try_it(desk, liar, iss="https://another.example.com")) == ""
    assert liar.asked == [], "the code is not told to the wrong one"
    assert who(try_it(desk, liar, iss=liar.address)) == "mia@example.com"


def test_it_tells_about_somebody_else(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    liar.claims, liar.metadata = {"email": None}, {"userinfo_endpoint": f"{liar.address}/userinfo"}
    assert who(try_it(desk, liar)) == ""


def test_a_state_works_once_in_its_own_browser_for_ten_minutes(desk: Flask, liar: Liar) -> None:
    use(liar.address)

    def begun(client: Browser) -> dict[str, str]:
        asked = parse_qs(urlsplit(go(client)).query)
        liar.nonce = asked["nonce"][0]
        return {"code": "c", "state": asked["state"][0]}

    mine, theirs = browser(desk), browser(desk)
    query = begun(mine)
    theirs.get("/login/provider/back", query_string=query)
    assert who(theirs) == "", "somebody is not signed in as who sent them a link"
    assert mine.get("/login/provider/back", query_string=query).location == "/"
    mine.post_form("/logout")
    mine.get("/login/provider/back", query_string=query)
    assert who(mine) == ""
    late = begun(theirs)
    with clock.travel(timedelta(minutes=11)):
        theirs.get("/login/provider/back", query_string=late)
    assert who(theirs) == ""
    for query in ({}, {"state": "x"}, {"error": "access_denied"}):
        assert theirs.get("/login/provider/back", query_string=query).location == "/login"


def test_saying_no_there_is_said_here(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    client = browser(desk)
    state = parse_qs(urlsplit(go(client, "/login/provider?next=/account")).query)["state"][0]
    back = client.get(f"/login/provider/back?error=access_denied&state={state}")
    assert back.location == "/login?next=/account"
    assert "Acme did not sign you in." in said(client)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example.com"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example.com/"},
        {"token_endpoint": None},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"jwks_uri": "https://127.0.0.1/jwks"},
        {"jwks_uri": 7},
    ],
    ids=json.dumps,
)
def test_addresses_that_lead_elsewhere_are_not_followed(
    desk: Flask, liar: Liar, metadata: dict[str, Any]
) -> None:
    use(liar.address)
    liar.metadata = metadata
    client = browser(desk)
    assert client.get("/login/provider").location == "/login?next=/"


def test_a_provider_that_is_away_is_said_and_passwords_go_on(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    liar.status = 500
    assert "t be reached" in said(try_it(desk, liar)) or "is invalid. Try again" in said(try_it(desk, liar))
    mia = make_user()
    oidc.reset()
    with serving(Flask("gone")) as server:
        gone = f"http://127.0.0.1:{server.port}"
    use(gone)
    client = browser(desk)
    assert client.get("/login/provider?next=/account").location == "/login?next=/account"
    assert "t be reached. Try again in a minute" in said(client)
    assert login(client, mia.email).status_code == 302


def test_a_new_key_is_looked_for(desk: Flask, liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    use(liar.address)
    assert who(try_it(desk, liar)) == "mia@example.com"
    liar.key = RSAKey.generate_key(2048, parameters={"kid": "two"})
    liar.forge = lambda claims: liar.sign(claims, kid="two")
    assert who(try_it(desk, liar)) == "", "not more than once a minute"
    monkeypatch.setattr(oidc, "ASK_AGAIN", 0.0)
    assert who(try_it(desk, liar)) == "mia@example.com"


def test_a_provider_on_the_local_network_takes_a_setting_and_nothing_else_may_use_it(
    desk: Flask, liar: Liar
) -> None:
    from host.sdk.errors import ForbiddenAddressError
    from host.sdk.http import Client

    use(liar.address)
    with pytest.raises(ForbiddenAddressError):
        Client(frozenset({"127.0.0.1"})).request("GET", f"{liar.address}/jwks")
    guard.allow(())
    oidc.reset()
    assert browser(desk).get("/login/provider").location == "/login?next=/"


def test_after_the_provider_nobody_is_sent_to_another_site(desk: Flask, liar: Liar) -> None:
    use(liar.address)
    client = browser(desk)
    for target in ("//evil.com", "https://evil.com", "/\\evil.com", "/%09/evil.com"):
        asked = parse_qs(urlsplit(go(client, f"/login/provider?next={target}")).query)
        liar.nonce = asked["nonce"][0]
        back = client.get("/login/provider/back", query_string={"code": "c", "state": asked["state"][0]})
        assert back.location == "/"


# Settings


FIELDS = {"label": "Acme", "passwords": "everybody", "groups_claim": "groups", "client_id": CLIENT}


def test_an_admin_sets_it_up_and_the_secret_is_never_shown(desk: Flask, liar: Liar) -> None:
    guard.allow((), (), [urlsplit(liar.address).netloc])
    workspace = make_workspace()
    boss = client_for(desk, make_user(is_admin=True))
    answer = boss.post_form(
        "/admin/sign-in/provider",
        issuer=liar.address,
        secret="hunter two hunter three",
        group=["support", ""],
        gives=[f"{workspace}:agent", ""],
        joins="y",
        **FIELDS,
    )
    assert answer.status_code == 302, answer.text
    page = boss.get("/admin/sign-in").text
    assert "The provider responds" in page
    assert "hunter" not in page
    with db.read() as session:
        row = session.scalars(sa.select(SignInSettings)).one()
    assert row.client_secret is not None
    assert row.client_secret.startswith("v1:")
    assert row.groups == [{"group": "support", "workspace": workspace, "role": "agent"}]
    kept = row.client_secret
    boss.post_form("/admin/sign-in/provider", issuer=liar.address, secret="", **FIELDS)
    with db.read() as session:
        assert session.scalars(sa.select(SignInSettings.client_secret)).one() == kept
    boss.post_form("/admin/sign-in/provider", issuer="https://other.example.com", secret="", **FIELDS)
    with db.read() as session:
        assert session.scalars(sa.select(SignInSettings.client_secret)).one() is None, "told to nobody else"


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("http://login.example.com", "must use https"),
        ("https://login.example.com:8443", "must use https"),
        ("https://login.example.com/?x=1", "not a provider URL"),
        ("login.example.com", "not a provider URL"),
        ("javascript:alert(1)", "not a provider URL"),
        ("https://u:p@login.example.com", "not a provider URL"),
        ("https://[", "not a provider URL"),
    ],
)
def test_what_is_no_address_of_a_provider_is_said_and_kept(desk: Flask, issuer: str, says: str) -> None:
    boss = client_for(desk, make_user(is_admin=True))
    answer = boss.post_form("/admin/sign-in/provider", issuer=issuer, group="kept", gives="admin", **FIELDS)
    assert answer.status_code == 400
    assert says in answer.text
    assert "kept" in answer.text


@pytest.mark.parametrize("gives", ["", "x", "1", "1:boss", "999999:agent", "-1:agent", "1:"])
def test_what_a_group_gives_is_checked(desk: Flask, gives: str) -> None:
    boss = client_for(desk, make_user(is_admin=True))
    answer = boss.post_form(
        "/admin/sign-in/provider", issuer="https://login.example.com", group="g", gives=gives, **FIELDS
    )
    assert answer.status_code == 400
    with db.read() as session:
        assert session.scalars(sa.select(SignInSettings)).all() == []


def test_not_everybody_becomes_an_admin(desk: Flask) -> None:
    boss = client_for(desk, make_user(is_admin=True))
    answer = boss.post_form(
        "/admin/sign-in/provider", issuer="https://login.example.com", group="*", gives="admin", **FIELDS
    )
    assert answer.status_code == 400
    assert "Not everyone can be an admin." in answer.text


def test_the_environment_may_name_the_provider(database: db.Database, data: Path, liar: Liar) -> None:
    port = urlsplit(liar.address).netloc
    guard.allow((), (), [port])
    app = build_app(data, oidc_issuer=liar.address, oidc_client_id=CLIENT, oidc_client_secret="env secret")
    boss = client_for(app, make_user(is_admin=True))
    page = boss.get("/admin/sign-in").text
    assert "LOBBY_OIDC_ISSUER" in page
    assert 'name="issuer"' not in page
    assert "env secret" not in page
    answer = boss.post_form("/admin/sign-in/provider", issuer="https://evil.example.com", joins="y", **FIELDS)
    assert answer.status_code == 302
    client = try_it(app, liar)
    assert who(client) == "mia@example.com"


def test_only_admins_see_how_people_sign_in(desk: Flask) -> None:
    mia = client_for(desk, make_user())
    assert mia.get("/admin/sign-in").status_code == 403
    assert mia.post_form("/admin/sign-in/provider", **FIELDS).status_code == 403
