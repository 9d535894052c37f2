"""Signing in and out."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from limits import RateLimitItem
from limits.storage import storage_from_string

from host.core import clock, db
from host.core.errors import TooManyError
from host.models.users import AuditEntry, LoginSession, User
from host.users import failed_tries, passwords, sessions, throttle, users
from tests.conftest import missing
from tests.helpers import PASSWORD, Browser, browser, build_app, client_for, make_user, make_workspace


def login(client: Browser, email: str, password: str = PASSWORD, remote: str = "192.0.2.1", **more: str):  # type: ignore[no-untyped-def]
    fields = {"csrf_token": client.csrf(), "email": email, "password": password, **more}
    return client.post("/login", data=fields, environ_base={"REMOTE_ADDR": remote})


def sessions_of(user: User) -> list[LoginSession]:
    with db.read() as session:
        return list(session.scalars(sa.select(LoginSession).where(LoginSession.user_id == user.id)))


def test_the_right_password_signs_in_and_leads_back_to_the_page_wanted(desk: Flask) -> None:
    person = make_user()
    client = browser(desk)
    answer = login(client, person.email, next="/account")
    assert (answer.status_code, answer.location) == (302, "/account")
    assert client.get("/account").status_code == 200


def test_the_address_may_be_written_in_capitals(desk: Flask) -> None:
    person = make_user("mia@example.com")
    assert login(browser(desk), " MIA@Example.com ").status_code == 302
    assert person.email == "mia@example.com"


@pytest.mark.parametrize("target", ["//evil.com", "/\\evil.com", "https://evil.com", "/%09/evil.com"])
def test_after_login_nobody_is_sent_to_another_site(desk: Flask, target: str) -> None:
    assert login(browser(desk), make_user().email, next=target).location == "/"
    client = client_for(desk, make_user())
    assert client.get("/login", query_string={"next": target}).location == "/"


def test_a_wrong_password_an_unknown_and_a_disabled_person_look_the_same(desk: Flask) -> None:
    known, disabled = make_user(), make_user()
    db.write(users.disable, disabled.id)
    answers = [
        login(browser(desk), known.email, "not the password", remote="192.0.2.1"),
        login(browser(desk), "nobody@example.com", remote="192.0.2.2"),
        login(browser(desk), disabled.email, remote="192.0.2.3"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    for answer in answers:
        assert "The email address or password is incorrect." in answer.text
        assert "login" not in str(answer.headers.get("Set-Cookie"))


def test_an_unknown_person_costs_one_hash_like_a_known_one(
    desk: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    original = PasswordHasher.verify

    def counted(self: PasswordHasher, hash: str, password: str) -> bool:
        calls.append(hash)
        return bool(original(self, hash, password))

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    login(browser(desk), make_user().email, "not the password", remote="192.0.2.1")
    login(browser(desk), "nobody@example.com", "not the password", remote="192.0.2.2")
    assert len(calls) == 2
    parameters = {text.rsplit("$", 2)[0] for text in calls}
    assert len(parameters) == 1


def test_known_and_unknown_people_take_the_same_time() -> None:
    stored = passwords.hashed(PASSWORD).value

    def measure(what: str | None) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            passwords.verify(what, "some password")
            times.append(time.perf_counter() - start)
        return min(times)

    passwords.verify(None, "warm up")
    known, unknown = measure(stored), measure(None)
    assert abs(known - unknown) < 0.5 * max(known, unknown)


def test_a_password_is_never_logged_nor_shown_again(desk: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        page = login(browser(desk), "nobody@example.com", "hunter two hunter three")
    assert "hunter two" not in page.text
    assert "hunter two" not in "\n".join(str(record.__dict__) for record in caplog.records)


def test_guessing_is_slowed_down_and_says_for_how_long(desk: Flask) -> None:
    person = make_user()
    for _ in range(5):
        assert login(browser(desk), person.email, "wrong password").status_code == 401
    refused = login(browser(desk), person.email, PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert "Too many incorrect passwords" in refused.text


def test_a_person_is_not_locked_out_by_what_somebody_else_tries(desk: Flask) -> None:
    person = make_user()
    for _ in range(8):
        login(browser(desk), person.email, "wrong password", remote="203.0.113.9")
    assert login(browser(desk), person.email, remote="203.0.113.9").status_code == 429
    assert login(browser(desk), person.email, remote="192.0.2.77").status_code == 302


def test_one_address_cannot_try_everybody(desk: Flask) -> None:
    statuses = [
        login(browser(desk), f"person{number}@example.com", "wrong password").status_code
        for number in range(35)
    ]
    assert statuses == [401] * 35, "each has a try now and then"
    again = [login(browser(desk), f"person{number}@example.com", PASSWORD) for number in range(30, 35)]
    assert {answer.status_code for answer in again} == {429}
    statuses = [
        login(browser(desk), f"other{number}@example.com", "wrong password").status_code
        for number in range(90)
    ]
    assert statuses == [401] * 85 + [429] * 5


def test_who_guesses_at_an_address_does_not_lock_colleagues_there_out(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    for number in range(40):
        login(browser(desk), f"person{number}@example.com", "wrong password")
    assert login(browser(desk), mia.email).status_code == 302
    refused = [login(browser(desk), jo.email, "wrong password").status_code for _ in range(3)]
    assert refused == [401, 429, 429]
    assert login(browser(desk), mia.email).status_code == 302, "forgiven, so as often as they like"


def test_a_colleague_has_one_try_however_many_were_wrong_at_the_address(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    exceed(throttle.of(limits_url(desk)), "192.0.2.1", throttle.ADDRESS)
    exceed(throttle.of(limits_url(desk)), "192.0.2.1", throttle.ADDRESS_AT_MOST, "address at most")
    assert login(browser(desk), "nobody@example.com", "wrong password").status_code == 429
    assert login(browser(desk), mia.email).status_code == 302
    refused = login(browser(desk), jo.email, "wrong password")
    assert refused.status_code == 429, "a wrong one looks as it does for everybody there"
    assert login(browser(desk), jo.email).status_code == 429, "it was one"
    with desk.test_request_context():
        assert throttle.of(limits_url(desk)).enter_second(mia.email, "192.0.2.1") is not None


def test_beyond_the_most_of_an_address_nobody_waits_and_unknown_people_cost_the_same(
    desk: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, jo, guard = make_user(), make_user(), throttle.of(limits_url(desk))
    exceed(guard, "192.0.2.1", [*throttle.ADDRESS, *throttle.ADDRESS_AT_MOST], "address at most")
    exceed(guard, "192.0.2.1", throttle.ADDRESS)
    checked = []
    right = passwords.verify
    monkeypatch.setattr(
        passwords, "verify", lambda *given, **more: (checked.append(more), right(*given, **more))[1]
    )
    for email in (mia.email, "nobody@example.com"):
        assert login(browser(desk), email, "wrong password").status_code == 429
    assert checked == [{"waits": False}] * 2
    with passwords._slot(waits=False):
        assert login(browser(desk), jo.email).status_code == 503
    assert login(browser(desk), jo.email).status_code == 302, "that was no try"
    assert guard._limiter.get_window_stats(throttle.EVERYBODY[0], "everybody").remaining == 1200


def test_a_browser_that_is_known_gets_in_whatever_others_try(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    hers = browser(desk)
    assert login(hers, mia.email).status_code == 302
    hers.post_form("/logout")
    for number in range(130):
        login(browser(desk), f"person{number}@example.com", "wrong password")
    for somebody in (mia, jo):
        for _ in range(8):
            login(browser(desk), somebody.email, "wrong password")
        assert login(browser(desk), somebody.email).status_code == 429
    assert login(hers, mia.email).status_code == 302
    assert login(hers, jo.email).status_code == 429, "it is known for her alone"


def test_a_known_browser_cannot_guess_either(desk: Flask) -> None:
    mia = make_user()
    hers = browser(desk)
    login(hers, mia.email)
    hers.post_form("/logout")
    statuses = [login(hers, mia.email, "wrong password").status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert login(browser(desk), mia.email).status_code == 302, "nor make others at the address wait"


@pytest.mark.parametrize("cookie", ["", "x", "W10.x", "x" * 3000])
def test_a_made_up_cookie_makes_no_browser_known(desk: Flask, cookie: str) -> None:
    mia = make_user()
    client = browser(desk)
    client.set_cookie("lobby-known", cookie)
    statuses = [login(client, mia.email, "wrong password").status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2


def failed_lines() -> list[tuple[str, str, int]]:
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "session.failed").order_by(AuditEntry.id)
        return [(row.subject, row.remote, row.details["times"]) for row in session.scalars(query)]


def test_failed_sign_ins_are_a_line_of_the_audit_journal_with_a_count(desk: Flask) -> None:
    mia = make_user("mia@example.com")
    for _ in range(4):
        login(browser(desk), mia.email, "wrong password", remote="192.0.2.9")
    for secret in ("hunter two", "hunter three", "x@example.com"):
        login(browser(desk), secret, "wrong password", remote="192.0.2.9")
    login(browser(desk), mia.email, "wrong password", remote="192.0.2.10")
    assert failed_lines() == [
        ("mia@example.com", "192.0.2.9", 4),
        ("nobody here", "192.0.2.9", 3),
        ("mia@example.com", "192.0.2.10", 1),
    ]
    with clock.travel(timedelta(hours=1, seconds=1)):
        login(browser(desk), mia.email, "wrong password", remote="192.0.2.11")
        login(browser(desk), mia.email, "wrong password", remote="192.0.2.10")
    assert [line[2] for line in failed_lines()] == [4, 3, 1, 1, 1]
    admin = client_for(desk, make_user(is_admin=True))
    assert (
        '<bdi translate="no">mia@example.com</bdi></b>: <b><bdi translate="no">4</bdi></b>'
        in admin.get("/admin/audit").text
    )
    assert "hunter" not in admin.get("/admin/audit").text


def test_a_flood_of_wrong_passwords_makes_few_lines(desk: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = make_user("mia@example.com")
    for _ in range(30):
        login(browser(desk), mia.email, "wrong password", remote="192.0.2.1")
    (line,) = failed_lines()
    assert line == ("mia@example.com", "192.0.2.1", 5)
    monkeypatch.setattr(failed_tries, "MOST", 3)
    for number in range(12):
        login(browser(desk), mia.email, "wrong password", remote=f"192.0.2.{number + 2}")
    assert len(failed_lines()) == 4
    assert failed_lines()[-1] == ("many", "", 10)


def test_a_wrong_password_of_somebody_signed_in_is_written_down_too(desk: Flask) -> None:
    mia = make_user()
    client_for(desk, mia).post_form("/account/confirm", password="wrong password")
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "session.not_confirmed")
        (row,) = session.scalars(query)
    assert (row.user_id, row.subject, row.details["times"]) == (mia.id, mia.email, 1)


def limits_url(desk: Flask) -> str:
    return str(desk.extensions["lobby.config"].limits_url)


def exceed(
    guard: throttle.Throttle, address: str, limits: Iterable[RateLimitItem], name: str = "address"
) -> None:
    """Use up *limits* of an address."""
    for limit in limits:
        for _ in range(limit.amount):
            guard._limiter.hit(limit, name, throttle.network_of(address))


def at_once(desk: Flask, guard: throttle.Throttle, email: str, address: str, times: int) -> list[bool]:
    """Have *times* threads try a password at the same moment; return for each whether it was let through."""
    ready = threading.Barrier(times)
    passed: list[bool] = []

    def guess() -> None:
        with desk.test_request_context():
            ready.wait()
            try:
                guard.enter(email, address)
            except TooManyError:
                passed.append(False)
            else:
                passed.append(True)

    threads = [threading.Thread(target=guess) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == times
    return passed


@pytest.mark.parametrize("limits", [throttle.ADDRESS[:1], throttle.ADDRESS], ids=["one", "all"])
def test_a_colleague_of_somebody_who_guesses_has_one_try(desk: Flask, limits: list[RateLimitItem]) -> None:
    guard, address = throttle.Throttle("memory://"), "192.0.2.1"
    exceed(guard, address, limits)
    with desk.test_request_context():
        guard.enter("mia@example.com", address)
        with pytest.raises(TooManyError) as refused:
            guard.enter("mia@example.com", address)
        assert refused.value.retry_after <= throttle.RARE[0].get_expiry(), "the next try is then"
        guard.enter("jo@example.com", address)


def test_of_fifty_tries_at_once_a_colleague_has_one(desk: Flask) -> None:
    guard, address = throttle.Throttle("memory://"), "192.0.2.1"
    exceed(guard, address, throttle.ADDRESS)
    assert sum(at_once(desk, guard, "mia@example.com", address, 50)) == 1
    elsewhere = at_once(desk, guard, "mia@example.com", "192.0.2.2", 50)
    assert sum(elsewhere) == throttle.PERSON_AND_ADDRESS[0].amount


def test_knowing_the_password_forgives_the_tries_before(desk: Flask) -> None:
    person = make_user()
    for _ in range(3):
        for _ in range(4):
            login(browser(desk), person.email, "wrong password")
        assert login(browser(desk), person.email).status_code == 302


def test_addresses_of_one_ipv6_network_count_as_one_caller() -> None:
    assert throttle.network_of("2001:db8::1") == throttle.network_of("2001:db8::ffff")
    assert throttle.network_of("2001:db8::1") != throttle.network_of("2001:db8:0:1::1")
    assert throttle.network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert throttle.network_of("fe80::1%eth0") == throttle.network_of("fe80::1")
    assert throttle.network_of("") == "unknown"


def test_limits_count_in_the_process_while_their_storage_is_away(desk: Flask) -> None:
    guard = throttle.Throttle("memory://")

    class AwayError(Exception):
        pass

    def away(*_: object, **__: object) -> bool:
        raise AwayError

    guard._down = (AwayError,)
    guard._limiter.test = away  # type: ignore[method-assign]
    guard._limiter.hit = away  # type: ignore[method-assign]
    with desk.test_request_context():
        for _ in range(5):
            guard.enter("mia@example.com", "192.0.2.1")
            guard.failed("192.0.2.1")
        with pytest.raises(Exception, match="Too many"):
            guard.enter("mia@example.com", "192.0.2.1")


def test_processes_that_share_a_storage_count_together(desk: Flask) -> None:
    url = "redis://127.0.0.1:6379/15"
    if not storage_from_string(url).check():
        missing("Redis")
    one, other = throttle.Throttle(url), throttle.Throttle(url)
    who = f"{secrets.token_hex(8)}@example.com"
    with desk.test_request_context():
        for guard in (one, other, one, other, one):
            guard.enter(who, "192.0.2.77")
            guard.failed("192.0.2.77")
        with pytest.raises(Exception, match="Too many"):
            other.enter(who, "192.0.2.77")
        one.forgive(who, "192.0.2.77")
        other.enter(who, "192.0.2.77")


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [("http://127.0.0.1:8080", "lobby", False), ("https://desk.example.com", "__Host-lobby", True)],
)
def test_the_cookie_is_as_closed_as_the_address_allows(
    database: db.Database, data: Path, url: str, name: str, secure: bool
) -> None:
    person = make_user()
    client = browser(build_app(data, public_url=url))
    base = url if secure else None
    token = client.get("/login", base_url=base).text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post(
        "/login",
        data={"csrf_token": token, "email": person.email, "password": PASSWORD},
        base_url=base,
    )
    assert answer.status_code == 302
    cookies = answer.headers.getlist("Set-Cookie")
    assert {one.partition("=")[0] for one in cookies} == {name, f"{name}-known"}
    for cookie in cookies:
        parts = {part.strip().split("=")[0] for part in cookie.split(";")}
        assert {"HttpOnly", "Path", "SameSite"} <= parts
        assert ("Secure" in parts) is secure
        assert "Domain" not in parts
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie.split("; ")


def test_the_session_changes_at_login_and_the_one_before_ends(desk: Flask) -> None:
    person = make_user()
    client = browser(desk)
    login(client, person.email)
    first = sessions_of(person)[0]
    login(client, person.email)
    (second,) = sessions_of(person)
    assert second.token_hash != first.token_hash


def test_signing_in_as_somebody_else_ends_the_session_of_the_first(desk: Flask) -> None:
    mia, jo = make_user(), make_user()
    client = browser(desk)
    login(client, mia.email)
    login(client, jo.email)
    assert sessions_of(mia) == []
    assert len(sessions_of(jo)) == 1


def test_the_database_holds_no_token_that_opens_the_door(desk: Flask) -> None:
    person = make_user()
    token = db.write(sessions.start, person.id, "192.0.2.1")
    (row,) = sessions_of(person)
    assert len(token) >= 43
    assert row.token_hash != token
    with db.read() as session:
        assert sessions.load(session, row.token_hash) is None
        assert sessions.load(session, token) is not None


def test_signing_out_ends_the_session_and_clears_the_browser(desk: Flask) -> None:
    person = make_user()
    client = client_for(desk, person)
    thief = desk.test_client(use_cookies=False)
    stolen = {"Cookie": f"lobby={client.get_cookie('lobby').value}"}  # type: ignore[union-attr]
    assert thief.get("/account", headers=stolen).status_code == 200
    answer = client.post_form("/logout")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "lobby=;" in answer.headers["Set-Cookie"]
    assert sessions_of(person) == []
    assert thief.get("/account", headers=stolen).status_code == 302


def test_a_session_ends_after_twelve_hours_without_use(desk: Flask) -> None:
    client = client_for(desk, make_user())
    with clock.travel(timedelta(hours=11, minutes=59)):
        assert client.get("/account").status_code == 200
    with clock.travel(timedelta(hours=23)):
        assert client.get("/account").status_code == 200
    with clock.travel(timedelta(hours=36)):
        assert client.get("/account").status_code == 302


def test_a_session_ends_after_seven_days_however_much_it_is_used(desk: Flask) -> None:
    client = client_for(desk, make_user())
    for hours in range(10, 168, 10):
        with clock.travel(timedelta(hours=hours)):
            assert client.get("/account").status_code == 200, hours
    with clock.travel(timedelta(days=7)):
        assert client.get("/account").status_code == 302


def test_a_clock_that_is_set_back_signs_nobody_out(desk: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    back = time.time() - 3600
    client = client_for(desk, make_user())
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: back)
    with clock.travel(-timedelta(hours=1)):
        assert client.get("/account").status_code == 200


def test_polling_does_not_keep_an_abandoned_browser_signed_in(desk: Flask) -> None:
    from host.web.request_helpers import login_required, passive

    desk.add_url_rule("/poll", "poll", passive(login_required(lambda: "nothing new")))
    client = client_for(desk, make_user())
    for hours in (4, 8, 11):
        with clock.travel(timedelta(hours=hours)):
            assert client.get("/poll").status_code == 200
    with clock.travel(timedelta(hours=12, minutes=1)):
        assert client.get("/poll").status_code == 302


def test_somebody_disabled_is_out_at_once(desk: Flask) -> None:
    person = make_user()
    client = client_for(desk, person)
    db.write(users.disable, person.id)
    assert client.get("/account").status_code == 302
    assert client.get("/account", headers={"Accept": "application/json"}).status_code == 401
    assert login(browser(desk), person.email).status_code == 401


def test_a_new_password_ends_every_session_but_the_one_it_was_made_in(desk: Flask) -> None:
    person = make_user()
    here, there = client_for(desk, person), client_for(desk, person)
    answer = here.post_form(
        "/account/password", current=PASSWORD, password="another fine phrase", again="another fine phrase"
    )
    assert answer.status_code == 302
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert login(browser(desk), person.email).status_code == 401
    assert login(browser(desk), person.email, "another fine phrase").status_code == 302


def test_the_present_password_is_needed_for_a_new_one(desk: Flask) -> None:
    person = make_user()
    client = client_for(desk, person)
    fields = {"password": "another fine phrase", "again": "another fine phrase"}
    answer = client.post_form("/account/password", current="not it at all", **fields)
    assert answer.status_code == 400
    assert "Your current password is incorrect." in answer.text
    for _ in range(6):
        answer = client.post_form("/account/password", current="not it at all", **fields)
    assert answer.status_code == 429


def test_a_browser_can_be_signed_out_from_another_one(desk: Flask) -> None:
    person, other = make_user(), make_user()
    here, there = client_for(desk, person), client_for(desk, person)
    there_id = max(row.id for row in sessions_of(person))
    stranger = client_for(desk, other)
    assert stranger.post_form(f"/account/sessions/{there_id}/end").status_code == 404
    assert there.get("/account").status_code == 200
    assert here.post_form(f"/account/sessions/{there_id}/end").status_code == 302
    assert there.get("/account").status_code == 302


def test_an_old_hash_is_made_anew_at_login(desk: Flask) -> None:
    person = make_user()
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

    def weaken(session: object) -> None:
        session.get(User, person.id).password_hash = weak  # type: ignore[attr-defined]

    db.write(weaken)
    assert login(browser(desk), person.email).status_code == 302
    with db.read() as session:
        stored = session.get(User, person.id)
        assert stored is not None
        assert stored.password_hash != weak
        assert not passwords.outdated(stored.password_hash)


def test_signing_in_is_written_down_without_a_secret(desk: Flask) -> None:
    person = make_user(workspace=make_workspace())
    client = browser(desk)
    login(client, person.email)
    client.post_form("/logout")
    with db.read() as session:
        rows = list(session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)))
    assert [(row.action, row.subject, row.user_id) for row in rows] == [
        ("session.started", person.email, person.id),
        ("session.ended", person.email, person.id),
    ]
    assert rows[0].remote == "192.0.2.1"


def test_every_request_of_a_signed_in_person_asks_the_database_once_for_who_it_is(desk: Flask) -> None:
    first, second = make_workspace(), make_workspace()
    person = make_user(workspace=first)
    from tests.helpers import join

    join(second, person)
    client = client_for(desk, person)
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = db.current().read_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        client.get("/admin/workspaces")
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    asked = [text for text in statements if text.startswith("SELECT")]
    assert len([text for text in asked if "login_sessions" in text]) == 1
    assert len(asked) <= 2, "the other is what the bell shows"


def test_a_failed_sign_in_is_logged_with_who_and_where(desk: Flask, caplog: pytest.LogCaptureFixture) -> None:
    person = make_user("mia@example.com")
    for _ in range(6):
        login(browser(desk), person.email, "wrong password")
    lines = [record.getMessage() for record in caplog.records if record.name == "lobby.security"]
    assert lines[0] == "sign-in of mia@example.com from 192.0.2.1 failed"
    assert lines[-1] == "sign-in of mia@example.com from 192.0.2.1 has to wait: too many tries"
