"""What makes a password usable, and how it is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from host.core.errors import InvalidError, UnavailableError
from host.users import passwords
from tests.helpers import takes_at_most


@pytest.fixture(autouse=True)
def _hashed_as_for_people(
    monkeypatch: pytest.MonkeyPatch, _passwords_are_hashed_quickly: PasswordHasher
) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", _passwords_are_hashed_quickly)
    passwords._dummy.cache_clear()
    yield
    passwords._dummy.cache_clear()


@pytest.mark.parametrize(
    "password",
    [
        "x9 k2 p7",
        "correct horse battery staple",
        "ñandú-Ωmega-漢字",
        "🐎🔋📎 and more",
        " spaces kept ",
        "x9 k2 p7 " + "ab3!" * 29,
    ],
)
def test_good_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    assert passwords.problem(password) is None


@pytest.mark.parametrize(
    "password",
    ["", "short12", "x" * 129, "ab" * 65, "password", "PassWord1", "12345678", "qwertyuiop", "aaaaaaaaaa"],
)
def test_bad_passwords_are_refused_with_a_reason(password: str) -> None:
    assert passwords.problem(password)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Passw0rd!", "common password"),
        ("P@ssw0rd123", "common password"),
        ("Welcome2024!", "common password"),
        ("Willkommen1!", "common password"),
        ("letmein99!", "common password"),
        ("Hunter2Hunter2", "repetitive"),
        ("ab3!" * 20, "repetitive"),
        ("12.05.1987", "Dates"),
        ("abcdefghijk1", "in sequence"),
        ("mia.reuter1", "your email address"),
        ("Example2026", "your email address"),
    ],
)
def test_a_simple_variant_of_a_common_password_is_refused_and_why(password: str, reason: str) -> None:
    said = passwords.problem(password, email="mia.reuter@example.com")
    assert said is not None
    assert reason in said


def test_a_hostile_password_is_looked_at_in_no_time() -> None:
    with takes_at_most(240):
        for password in ("@4$5!0" * 21, "a1" * 64, "qwertyuiop" * 12, "0123456789" * 12):
            passwords.problem(password)


def test_a_password_from_before_the_rule_goes_on_working(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(passwords, "problem", lambda _password, email="": None)
        stored = passwords.hashed("Passw0rd!").value
    assert passwords.verify(stored, "Passw0rd!")


def test_the_own_address_is_no_password() -> None:
    assert passwords.problem("Mia.Reuter@example.com", email="mia.reuter@example.com")
    assert passwords.problem("mia.reuter", email="mia.reuter@example.com")


def test_the_common_ones_are_many_and_of_a_length_that_would_pass() -> None:
    assert len(passwords.common()) >= 200
    assert all(len(word) >= passwords.MIN_LENGTH for word in passwords.common())


def test_hashes_are_argon2id_at_or_above_the_floor() -> None:
    stored = passwords.hashed("correct horse").value
    assert stored.startswith("$argon2id$")
    assert passwords.MEMORY_KIB >= 19 * 1024
    assert passwords.PASSES >= 2
    assert f"m={passwords.MEMORY_KIB},t={passwords.PASSES},p=1" in stored


def test_two_hashes_of_one_password_differ() -> None:
    assert passwords.hashed("correct horse").value != passwords.hashed("correct horse").value


def test_nothing_of_a_long_password_is_cut_off() -> None:
    long = ("four words that do not belong together " * 4)[:125]
    stored = passwords.hashed(long + "x").value
    assert passwords.verify(stored, long + "x")
    assert not passwords.verify(stored, long + "y")
    assert not passwords.verify(stored, long)


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert passwords.verify(passwords.hashed(composed).value, decomposed)


def test_case_and_spaces_count() -> None:
    stored = passwords.hashed("Correct Horse").value
    assert not passwords.verify(stored, "correct horse")
    assert not passwords.verify(stored, "Correct Horse ")


def test_nobody_has_the_password_of_nobody() -> None:
    assert not passwords.verify(None, "nobody has this password")
    assert not passwords.verify("not a hash", "anything")
    assert not passwords.verify(passwords.hashed("correct horse").value, "x" * 1_000_000)


def test_a_hash_does_not_show_itself() -> None:
    assert "argon2" not in repr(passwords.hashed("correct horse"))


def test_a_refused_password_is_not_hashed() -> None:
    with pytest.raises(InvalidError, match="at least 8"):
        passwords.hashed("short")


def test_only_a_few_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    held = threading.Barrier(passwords.AT_ONCE + 1)
    release = threading.Event()

    def hold() -> None:
        with passwords._slot():
            held.wait(60)
            release.wait(60)

    threads = [threading.Thread(target=hold) for _ in range(passwords.AT_ONCE)]
    for thread in threads:
        thread.start()
    held.wait(60)
    try:
        with pytest.raises(UnavailableError):
            passwords.verify(None, "some password")
    finally:
        release.set()
        for thread in threads:
            thread.join()
    assert passwords.verify(passwords.hashed("correct horse").value, "correct horse")
