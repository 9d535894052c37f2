"""A second factor: setting it up, signing in with it, being made to have one, losing it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import clock, db, resealing, secrets
from host.core.errors import ConflictError
from host.models.signing_in import AuthenticatorApp, RecoveryCode, RequirementScope, SignInStep
from host.models.users import AuditEntry, LoginSession, User
from host.users import password_links, passwords, sessions, users
from host.users.signin import factors, settings
from tests.helpers import PASSWORD, Browser, browser, client_for, do_desk, make_user
from tests.users.test_login import login

NEW = "quite other words here 7"


def code_at(secret: str, steps: int = 0) -> str:
    """Return what an app shows, so many times thirty seconds from now."""
    return pyotp.TOTP(secret).at(int(clock.now().timestamp()) + 30 * steps)


def with_app(user: User) -> tuple[str, list[str]]:
    """Give *user* an app; return its secret and the recovery codes. The first code is of a minute ago."""
    secret = db.write(factors.begin_app, user.id).reveal()
    with clock.travel(timedelta(seconds=-60)):
        codes = do_desk(factors.finish_app, code_at(secret), 0, actor=user.id)
    assert codes is not None
    return secret, list(codes)


def pending(client: Browser, user: User, **more: str) -> str:
    """Type the password; return where the second factor is asked for."""
    answer = login(client, user.email, **more)
    assert answer.status_code == 302
    assert answer.location.startswith("/login/second/")
    return str(answer.location)


def signed_in(client: Browser) -> bool:
    return bool(client.get("/account").status_code == 200)


def actions(user: User) -> list[str]:
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.subject == user.email).order_by(AuditEntry.id)
        return list(session.scalars(query))


def test_an_app_is_set_up_and_asked_for_after_the_password(desk: Flask) -> None:
    mia = make_user()
    hers, elsewhere = client_for(desk, mia), client_for(desk, mia)
    page = hers.get("/account/security/app").text
    secret = re.search(r'id="app-secret" value="([A-Z2-7 ]+)"', page)[1].replace(" ", "")  # type: ignore[index]
    assert "<svg" in page
    assert hers.get("/account/security/app").text.count(secret[:4]), "the same in a second tab"
    refused = hers.post_form(
        "/account/security/app", code="000000" if code_at(secret) != "000000" else "111111"
    )
    assert refused.status_code == 400
    shown = hers.post_form("/account/security/app", code=code_at(secret))
    codes = re.findall(r"<li>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</li>", shown.text)
    assert len(codes) == len(set(codes)) == 10
    assert signed_in(hers)
    assert not signed_in(elsewhere), "a browser that did not show it is signed out"
    page = hers.get("/account/security").text
    assert not any(code in page for code in codes)
    new = browser(desk)
    where = pending(new, mia, next="/account")
    assert not signed_in(new), "the password alone opens nothing"
    with clock.travel(timedelta(seconds=60)):
        answer = new.post_form(where, code=code_at(secret))
    assert (answer.status_code, answer.location) == (302, "/account")
    assert signed_in(new)
    assert "second_factor.app_added" in actions(mia)


def test_the_secret_is_sealed_and_can_be_sealed_anew(desk: Flask) -> None:
    secrets.use(secrets.Keyring({"k1": b"1" * 32}))
    secret, codes = with_app(make_user())
    with db.read() as session:
        row = session.scalars(sa.select(AuthenticatorApp)).one()
        hashes = session.scalars(sa.select(RecoveryCode.code_hash)).all()
    assert secret not in row.secret
    assert row.secret.startswith("v1:k1:")
    assert not {code.replace("-", "") for code in codes} & set(hashes)
    secrets.use(secrets.Keyring({"k2": b"2" * 32, "k1": b"1" * 32}))
    assert resealing.check_values(reseal=True).resealed == 1
    with db.read() as session:
        assert session.scalars(sa.select(AuthenticatorApp.secret)).one().startswith("v1:k2:")


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_thirty_seconds_and_no_more(desk: Flask, steps: int, counts: bool) -> None:
    mia = make_user()
    secret, _codes = with_app(mia)
    with clock.travel(timedelta(minutes=5)):
        assert db.write(factors.use_app, mia.id, code_at(secret, steps)) is counts


def test_a_code_counts_once_and_none_before_it(desk: Flask) -> None:
    mia = make_user()
    secret, _codes = with_app(mia)
    with clock.travel(timedelta(minutes=5)):
        code, before = code_at(secret), code_at(secret, -1)
        one, two = browser(desk), browser(desk)
        there, again = pending(one, mia), pending(two, mia)
        assert one.post_form(there, code=code).status_code == 302
        assert two.post_form(again, code=code).status_code == 401
        assert two.post_form(again, code=before).status_code == 401
        assert not signed_in(two)


def test_of_two_requests_with_one_code_at_once_one_is_let_in(any_database: db.Database) -> None:
    secrets.use(secrets.Keyring({"k1": b"1" * 32}))
    mia = make_user()
    secret, codes = with_app(mia)
    found: list[bool] = []

    def together(use: object, code: str) -> int:
        found.clear()
        threads = [
            threading.Thread(target=lambda: found.append(db.write(use, mia.id, code)))  # type: ignore[arg-type]
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found.count(True)

    assert together(factors.use_app, code_at(secret)) == 1
    assert together(factors.use_code, codes[0]) == 1


def test_a_recovery_code_stands_in_once(desk: Flask) -> None:
    mia = make_user()
    _secret, codes = with_app(mia)
    one, two = browser(desk), browser(desk)
    assert one.post_form(pending(one, mia), code=f" {codes[3].upper()} ").status_code == 302
    page = one.get("/account").text
    assert "9 are left" in page
    assert "by password and a second factor ·" in page
    where = pending(two, mia)
    assert two.post_form(where, code=codes[3]).status_code == 401
    assert two.post_form(where, code=codes[4].replace("-", "")).status_code == 302
    assert "second_factor.code_used" in actions(mia)


def test_recovery_codes_are_somebodys_own_and_new_ones_end_those_of_before(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    _secret, codes = with_app(mia)
    with_app(jo)
    assert not db.write(factors.use_code, jo.id, codes[0])
    fresh = do_desk(factors.new_codes, actor=mia.id)
    assert not db.write(factors.use_code, mia.id, codes[0])
    assert db.write(factors.use_code, mia.id, fresh[0])


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 34 5x", "a" * 40, "' or 1=1"]
)
def test_what_is_no_code_is_no_code(desk: Flask, code: str) -> None:
    mia = make_user()
    with_app(mia)
    client = browser(desk)
    assert client.post_form(pending(client, mia), code=code).status_code in {400, 401}
    assert not signed_in(client)


def test_guessing_codes_is_slowed_down_from_wherever_it_comes(desk: Flask) -> None:
    mia = make_user()
    secret, _codes = with_app(mia)
    statuses = []
    for number in range(8):
        client = browser(desk)
        remote = f"192.0.2.{number + 1}"
        where = pending(client, mia, remote=remote)
        for _ in range(5):
            fields = {"csrf_token": client.csrf(), "code": "000000"}
            statuses.append(client.post(where, data=fields, environ_base={"REMOTE_ADDR": remote}).status_code)
    assert statuses == [401] * 30 + [429] * 10, "the right password does not forgive wrong codes"
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "session.second_failed")
        assert sum(row.details["times"] for row in session.scalars(query)) == 30
    assert secret


def test_ten_wrong_codes_at_one_step_end_it(desk: Flask) -> None:
    mia = make_user()
    with_app(mia)
    client = browser(desk)
    where = pending(client, mia)
    for minute in range(10):
        with clock.travel(timedelta(seconds=minute)):
            from host.users import throttle

            throttle.reset()
            client.post_form(where, code="x")
    assert client.get(where).location == "/login"


def test_a_step_belongs_to_its_browser_and_ends(desk: Flask) -> None:
    mia = make_user()
    secret, codes = with_app(mia)
    hers, thief = browser(desk), browser(desk)
    where = pending(hers, mia)
    assert thief.get(where).location == "/login"
    assert thief.post_form(where, code=codes[0]).location == "/login"
    assert not signed_in(thief)
    with clock.travel(timedelta(minutes=11)):
        assert hers.post_form(where, code=code_at(secret)).location == "/login"
    where = pending(hers, mia)
    db.write(users.set_password, mia.id, passwords.hashed(NEW))
    assert hers.post_form(where, code=codes[0]).location == "/login", "the password was changed meanwhile"
    hers = browser(desk)
    login(hers, mia.email, NEW)
    where = str(login(hers, mia.email, NEW).location)
    db.write(users.disable, mia.id)
    assert hers.post_form(where, code=codes[0]).location == "/login"


def test_two_tabs_with_two_people_do_not_mix(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    _secret, codes = with_app(mia)
    _secret, others = with_app(jo)
    client = browser(desk)
    first, second = pending(client, mia), pending(client, jo)
    assert client.post_form(first, code=others[0]).status_code == 401
    assert client.post_form(second, code=others[0]).status_code == 302
    assert jo.email in client.get("/account").text
    assert codes


def test_a_link_to_choose_a_password_does_not_go_around_it(desk: Flask) -> None:
    mia = make_user()
    _secret, codes = with_app(mia)
    token = db.write(password_links.make, mia.id, password_links.HANDED)
    client = browser(desk)
    answer = client.post_form(f"/password/{token}", password=NEW, again=NEW)
    assert answer.location.startswith("/login/second/")
    assert not signed_in(client)
    assert client.post_form(answer.location, code=codes[0]).status_code == 302
    assert signed_in(client)


def test_after_the_second_factor_nobody_is_sent_to_another_site(desk: Flask) -> None:
    mia = make_user()
    _secret, codes = with_app(mia)
    client = browser(desk)
    where = pending(client, mia, next="//evil.com")
    assert client.post_form(where, code=codes[0]).location == "/"


def test_a_session_of_before_counts_no_more(desk: Flask) -> None:
    mia = make_user()
    token = db.write(sessions.start, mia.id, "192.0.2.1")
    with_app(mia)
    late = db.write(sessions.start, mia.id, "192.0.2.1")
    with db.read() as session:
        assert sessions.load(session, token) is None
        assert sessions.load(session, late) is None, "nor one that began at the same moment"


def test_removing_it_takes_a_password_and_the_last_takes_the_codes_along(desk: Flask) -> None:
    mia = make_user()
    _secret, codes = with_app(mia)
    client = browser(desk)
    client.post_form(pending(client, mia), code=codes[0])
    with clock.travel(timedelta(minutes=20)):
        asked = client.post_form("/account/security/app/remove")
        assert asked.status_code == 403
        assert "password" in asked.text
        assert db.write(factors.use_code, mia.id, codes[1]), "nothing was done"
        assert client.post_form("/account/security/app/remove", password=PASSWORD).status_code == 302
    assert "second_factor.app_removed" in actions(mia)
    assert login(browser(desk), mia.email).location == "/"
    with db.read() as session:
        assert session.scalars(sa.select(RecoveryCode)).all() == []
        assert session.scalars(sa.select(LoginSession.second_at)).all() == [None, None]


# Wanted


def want(whom: RequirementScope) -> None:
    do_desk(settings.save_second_factor, whom)


def test_who_has_to_have_one_is_led_there_before_anything_else(desk: Flask) -> None:
    mia = make_user()
    client = client_for(desk, mia)
    assert client.get("/account").status_code == 200
    want(RequirementScope.EVERYBODY)
    led = client.get("/account?x=1")
    assert led.status_code == 302
    assert led.location.startswith("/account/security?next=")
    page = client.get(led.location)
    assert page.status_code == 200
    assert "Your desk requires" in page.text
    refused = client.post_form("/account/profile", name="X", theme="auto")
    assert refused.status_code == 403
    secret_page = client.get("/account/security/app").text
    secret = re.search(r'id="app-secret" value="([A-Z2-7 ]+)"', secret_page)[1].replace(" ", "")  # type: ignore[index]
    shown = client.post_form("/account/security/app", code=code_at(secret))
    assert 'href="/account?x=1"' in shown.text
    assert client.get("/account").status_code == 200
    removed = client.post_form("/account/security/app/remove")
    assert removed.status_code == 302
    assert "A second factor is required here" in client.get("/account/security").text
    assert db.write(factors.use_code, mia.id, "x") is False
    with db.read() as session:
        assert factors.of(session, mia.id).any, "the last one stays while it is wanted"


def test_admins_alone_may_have_to(desk: Flask) -> None:
    want(RequirementScope.ADMINS)
    mia, admin = make_user(), make_user(is_admin=True)
    assert client_for(desk, mia).get("/account").status_code == 200
    assert client_for(desk, admin).get("/admin/people").location.startswith("/account/security")
    do_desk(users.set_admin, mia.id, True)
    assert client_for(desk, mia).get("/account").status_code == 302


def test_a_new_password_comes_first(desk: Flask) -> None:
    mia = make_user()
    want(RequirementScope.EVERYBODY)
    do_desk(users.require_new_password, mia.id)
    client = client_for(desk, mia)
    assert client.get("/account").location.startswith("/account/new-password")
    assert client.get("/account/new-password").status_code == 200
    assert client.post_form("/logout").status_code == 302


def test_signing_out_and_confirming_go_before_it(desk: Flask) -> None:
    want(RequirementScope.EVERYBODY)
    client = client_for(desk, make_user())
    with clock.travel(timedelta(minutes=20)):
        asked = client.get("/account/security/app")
        assert asked.location.startswith("/account/confirm?next=")
        assert client.get(asked.location).status_code == 200
        assert client.post_form(asked.location, password=PASSWORD).location == "/account/security/app"
    assert client.post_form("/logout").location == "/login"


def test_an_admin_resets_it(desk: Flask) -> None:
    mia, admin = make_user(), make_user(is_admin=True)
    _secret, codes = with_app(mia)
    hers = browser(desk)
    hers.post_form(pending(hers, mia), code=codes[0])
    boss = client_for(desk, admin)
    assert "Remove second factor" in boss.get("/admin/people").text
    assert boss.post_form(f"/admin/people/{mia.id}/second-factor/reset").status_code == 302
    assert not signed_in(hers)
    assert login(browser(desk), mia.email).location == "/"
    assert "second_factor.reset" in actions(mia)
    with pytest.raises(ConflictError):
        do_desk(factors.reset, mia.id)
    assert client_for(desk, mia).post_form(f"/admin/people/{mia.id}/second-factor/reset").status_code == 403


def test_an_account_that_is_deleted_leaves_nothing_to_sign_in_with(desk: Flask) -> None:
    mia = make_user()
    make_user(is_admin=True)
    with_app(mia)
    db.write(users.delete, mia.id)
    with db.read() as session:
        for table in (AuthenticatorApp, RecoveryCode, SignInStep):
            assert session.scalars(sa.select(table)).all() == []


def test_the_page_of_admins_says_who_has_none(desk: Flask) -> None:
    admin = make_user(is_admin=True)
    with_app(make_user())
    boss = client_for(desk, admin)
    page = boss.get("/admin/sign-in").text
    assert "1 person has none" in page
    assert boss.post_form("/admin/sign-in/second-factor", wanted="everybody").status_code == 302
    assert boss.get("/admin/sign-in").location.startswith("/account/security")
    assert boss.post_form("/admin/sign-in/second-factor", wanted="x").status_code == 403
