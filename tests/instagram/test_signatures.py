"""Who is believed: the signature over raw bytes, the candidate secrets, and whose account an entry is for."""

from __future__ import annotations

import hmac
import json
import timeit
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.core import db, secrets
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.secrets import Secret
from host.sdk.webhooks import Accepted, Envelope, Refused, Verified, WebhookRequest
from tests.instagram import world
from tests.instagram.world import (
    ANA,
    CAFE,
    OTHER_SECRET,
    POTTERY,
    SECRET,
    STUDIO,
    Addon,
    entry,
    message,
    payload,
)


def taken(answer: Accepted | Refused) -> tuple[Envelope, ...]:
    assert isinstance(answer, Accepted), answer
    return answer.envelopes


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch, ig: Addon) -> list[bytes]:
    """The signatures a request was compared with, in order."""
    seen: list[bytes] = []
    right = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        seen.append(one)
        return right(one, other)

    monkeypatch.setattr(ig.webhook.verification.hmac, "compare_digest", compare)
    return seen


def test_a_rightly_signed_message_belongs_to_its_account(account: AccountRef, ig: Addon) -> None:
    (found,) = taken(ig.webhook.verification.authenticate(world.post(payload(entry(message())))))
    assert found.account_id == account.id
    assert (found.lane, found.kind, found.dedupe_key) == (ANA, "message", "message:mid-1")
    assert not found.set_aside
    assert not found.ignored
    assert found.occurred_at is not None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_is_verified_over_the_raw_bytes_and_read_back(
    account: AccountRef, ig: Addon, text: str
) -> None:
    (found,) = taken(ig.webhook.verification.authenticate(world.post(payload(entry(message(text=text))))))
    (change,) = ig.webhook.events.parse(found)
    assert change.text == ig.values.clean(text)


@pytest.mark.parametrize("text", ["äöå", "👩‍👩‍👧 🏺", "\u2028", 'say "hi" \\ / <b>', "\\u00e4 stays"])
def test_escapes_and_emoji_count_as_they_were_sent(account: AccountRef, ig: Addon, text: str) -> None:
    escaped = payload(entry(message(text=text)))
    plain = json.dumps(json.loads(escaped), ensure_ascii=False).encode()
    slashed = escaped.replace(b"/", b"\\/")
    for body in (escaped, plain, slashed):
        (found,) = taken(ig.webhook.verification.authenticate(world.post(body)))
        (change,) = ig.webhook.events.parse(found)
        assert change.text == text
    # The same event in other bytes is not what was signed.
    if plain != escaped:
        answer = ig.webhook.verification.authenticate(
            world.post(plain, headers={"x-hub-signature-256": world.sign(escaped)})
        )
        assert answer == Refused(401, "signature", account.id)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 63,
        "sha256=" + "0" * 65,
        "sha256=" + "A" * 64,
        "sha256=" + "é" * 64,
        " sha256=" + "0" * 64,
        "sha256=" + "0" * 64 + "\n",
        "0" * 64,
    ],
)
def test_anything_but_a_right_signature_is_refused_alike(account: AccountRef, ig: Addon, header: str) -> None:
    body = payload(entry(message()))
    assert ig.webhook.verification.authenticate(
        world.post(body, headers={"x-hub-signature-256": header})
    ) == Refused(401, "unsigned", account.id)


def test_a_request_without_the_header_is_refused(account: AccountRef, ig: Addon) -> None:
    answer = ig.webhook.verification.authenticate(world.post(payload(entry(message())), headers={}))
    assert answer == Refused(401, "unsigned", account.id)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(min_value=0, max_value=400), bit=st.integers(min_value=0, max_value=7))
def test_one_changed_bit_is_enough_to_refuse(account: AccountRef, ig: Addon, at: int, bit: int) -> None:
    body = bytearray(payload(entry(message(text="x" * 200))))
    signature = world.sign(bytes(body))
    body[at % len(body)] ^= 1 << bit
    answer = ig.webhook.verification.authenticate(
        world.post(bytes(body), headers={"x-hub-signature-256": signature})
    )
    assert isinstance(answer, Refused)
    assert answer.status == 401


def test_the_secret_of_another_app_is_refused(account: AccountRef, ig: Addon) -> None:
    answer = ig.webhook.verification.authenticate(
        world.post(payload(entry(message())), secret="somebody else's")
    )
    assert answer == Refused(401, "signature", account.id)


def test_an_entry_for_another_apps_account_is_kept_apart(account: AccountRef, ig: Addon) -> None:
    """Whoever knows the secret of one workspace's app cannot write into another workspace."""
    cafe = world.connect(ig, CAFE, app_secret=Secret(OTHER_SECRET), workspace_id=world.workspace("Cafe"))
    body = payload(entry(message(mid="mine"), igid=CAFE), entry(message(mid="stolen"), igid=POTTERY))
    mine, stolen = taken(ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET)))
    assert (mine.account_id, mine.set_aside) == (cafe.id, "")
    assert stolen.account_id is None
    assert "another account's app" in stolen.set_aside


def test_it_stays_apart_on_the_address_of_its_own_account(account: AccountRef, ig: Addon) -> None:
    cafe = world.connect(ig, CAFE, app_secret=Secret(OTHER_SECRET), workspace_id=world.workspace("Cafe"))
    body = payload(entry(message(), igid=POTTERY))
    (stolen,) = taken(
        ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET, account=cafe.uuid))
    )
    assert stolen.account_id is None
    assert stolen.set_aside


def test_accounts_of_one_app_share_an_address(account: AccountRef, ig: Addon) -> None:
    studio = world.connect(ig, STUDIO, workspace_id=world.workspace("Studio"))
    body = payload(entry(message(mid="a")), entry(message(mid="b"), igid=STUDIO))
    for address in (None, account.uuid, studio.uuid):
        found = taken(ig.webhook.verification.authenticate(world.post(body, account=address)))
        assert [each.account_id for each in found] == [account.id, studio.id]


def test_an_accounts_own_address_takes_its_secret_only(
    account: AccountRef, ig: Addon, compared: list[bytes]
) -> None:
    world.connect(ig, CAFE, app_secret=Secret(OTHER_SECRET), workspace_id=world.workspace("Cafe"))
    body = payload(entry(message(), igid=CAFE))
    answer = ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET, account=account.uuid))
    assert answer == Refused(401, "signature", account.id)
    assert len(compared) == 1


def test_an_address_of_nobody_costs_as_much_as_a_wrong_signature(
    account: AccountRef, ig: Addon, compared: list[bytes]
) -> None:
    body = payload(entry(message()))
    answer = ig.webhook.verification.authenticate(world.post(body, account="0" * 32))
    assert answer == Refused(401, "signature", None)
    assert len(compared) == 1


def test_every_candidate_is_compared_and_none_skipped(
    account: AccountRef, ig: Addon, compared: list[bytes]
) -> None:
    secrets_ = [f"secret number {number:02}" for number in range(5)]
    for number, secret in enumerate(secrets_):
        igid = f"1784140000000010{number}"
        world.connect(ig, igid, app_secret=Secret(secret), workspace_id=world.workspace("Other"))
    # No known id: every secret of the installation is a candidate.
    body = payload(entry(message("1"), igid="1"))
    assert taken(ig.webhook.verification.authenticate(world.post(body, secret=secrets_[0])))
    assert len(compared) == 6


def test_only_twenty_named_secrets_are_tried(desk: db.Database, ig: Addon, compared: list[bytes]) -> None:
    shop = world.workspace()
    ids = [f"178414000000002{number:02}" for number in range(30)]
    for igid in ids:
        world.connect(ig, igid, app_secret=Secret(f"the secret of {igid}"), workspace_id=shop)
    body = payload(*(entry(message(igid), igid=igid) for igid in ids))
    assert isinstance(ig.webhook.verification.authenticate(world.post(body, secret="none of them")), Refused)
    assert len(compared) == 20


def test_a_large_body_that_names_nobody_is_not_tried_with_every_secret(
    account: AccountRef, ig: Addon, compared: list[bytes]
) -> None:
    body = payload(entry(message("1", text="x" * 70_000), igid="1"))
    assert isinstance(ig.webhook.verification.authenticate(world.post(body)), Refused)
    assert len(compared) == 1
    assert taken(ig.webhook.verification.authenticate(world.post(payload(entry(message("1"), igid="1")))))


def test_an_account_is_found_however_many_ids_come_before_it(
    account: AccountRef, ig: Addon, compared: list[bytes]
) -> None:
    strangers = [{"id": str(10**16 + number)} for number in range(8_000)]
    body = payload(*strangers, entry(message()))
    assert len(body) > ig.webhook.verification.MOST_UNNAMED_BODY
    found = taken(ig.webhook.verification.authenticate(world.post(body)))
    assert [one.account_id for one in found if one.account_id] == [account.id]
    assert len(compared) == 1


def test_a_body_full_of_ids_of_strangers_costs_about_what_parsing_it_does(
    account: AccountRef, ig: Addon
) -> None:
    body = b"[" + b",".join([b'{"id":1}'] * (1024 * 1024 // 10)) + b"]"

    def seconds(do: Callable[[], object]) -> float:
        return min(timeit.repeat(do, number=1, repeat=3))

    refused = seconds(lambda: ig.webhook.verification.authenticate(world.post(body, secret="nobody's")))
    assert refused < 10 * seconds(lambda: json.loads(body))


def test_words_a_customer_wrote_name_no_account(account: AccountRef, ig: Addon) -> None:
    world.connect(ig, CAFE, app_secret=Secret(OTHER_SECRET), workspace_id=world.workspace("Cafe"))
    text = f'"id":"{CAFE}"'
    (found,) = taken(ig.webhook.verification.authenticate(world.post(payload(entry(message(text=text))))))
    assert found.account_id == account.id


def test_late_deliveries_for_a_disconnected_account_still_verify(account: AccountRef, ig: Addon) -> None:
    world.disconnect(account)
    for address in (None, account.uuid):
        (found,) = taken(
            ig.webhook.verification.authenticate(world.post(payload(entry(message())), account=address))
        )
        assert found.account_id == account.id
        assert "disconnected" in found.ignored


def test_an_account_that_moved_to_another_workspace_gets_its_messages_there(
    account: AccountRef, ig: Addon
) -> None:
    world.disconnect(account)
    moved = world.connect(ig, workspace_id=world.workspace("New"), app_secret=Secret(OTHER_SECRET))
    body = payload(entry(message()))
    (fresh,) = taken(ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET)))
    assert (fresh.account_id, fresh.set_aside) == (moved.id, "")
    (late,) = taken(ig.webhook.verification.authenticate(world.post(body, secret=SECRET)))
    assert late.account_id == account.id
    assert late.ignored


def test_a_secret_that_was_replaced_counts_at_once(account: AccountRef, ig: Addon) -> None:
    body = payload(entry(message()))
    assert taken(ig.webhook.verification.authenticate(world.post(body)))
    world.connect(ig, workspace_id=account.workspace_id, app_secret=Secret(OTHER_SECRET))
    assert isinstance(ig.webhook.verification.authenticate(world.post(body)), Refused)
    assert taken(ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET)))


def test_a_secret_that_cannot_be_decrypted_makes_meta_try_again(
    account: AccountRef, ig: Addon, caplog: pytest.LogCaptureFixture
) -> None:
    """A 401 would be counted against the app; the host answers 503 to a raise."""
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    ig.accounts.book._value = None
    with pytest.raises(SecretUnreadableError):
        ig.webhook.verification.authenticate(world.post(payload(entry(message()))))
    assert "cannot be read" in caplog.text


def test_deliveries_ask_the_database_nothing(account: AccountRef, ig: Addon, statements: list[str]) -> None:
    request = world.post(payload(entry(message())))
    ig.webhook.verification.authenticate(request)
    statements.clear()
    for _ in range(20):
        taken(ig.webhook.verification.authenticate(request))
    assert [each for each in statements if "counters" not in each] == []


# The verification of an address


def ask(ig: Addon, account: str | None = None, **changes: Any) -> Verified | Refused:
    query = {
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444",
        "hub.verify_token": "right",
        **{f"hub.{name}": value for name, value in changes.items()},
    }
    found: Verified | Refused = ig.webhook.verification.verify(
        WebhookRequest(method="GET", account=account, headers={}, query=query, body=b"")
    )
    return found


@pytest.fixture
def verify_token(account: AccountRef, ig: Addon) -> str:
    ig.card.change_verify_token(account, {"verify_token": "right"})
    return "right"


@pytest.mark.usefixtures("verify_token")
def test_the_challenge_comes_back_verbatim(account: AccountRef, ig: Addon) -> None:
    for address in (None, account.uuid):
        for challenge in ("1158201444", "0012", "a-b_C9" * 20):
            assert ask(ig, address, challenge=challenge) == Verified(challenge, account.id)


@pytest.mark.usefixtures("verify_token")
@pytest.mark.parametrize(
    ("changes", "reason", "hint"),
    [
        ({"verify_token": "wrong"}, "verify_token", "w/5"),
        ({"verify_token": ""}, "verify_token", "/0"),
        ({"verify_token": "right "}, "verify_token", "r/6"),
        ({"verify_token": "ríght"}, "verify_token", "r/5"),
        ({"verify_token": "\ud800"}, "verify_token", "/1"),
        ({"mode": "unsubscribe"}, "nothing_asked", ""),
        ({"mode": ""}, "nothing_asked", ""),
    ],
)
def test_another_token_or_mode_is_refused(ig: Addon, changes: dict[str, str], reason: str, hint: str) -> None:
    assert ask(ig, **changes) == Refused(403, reason, None, hint)


@pytest.mark.usefixtures("verify_token")
@pytest.mark.parametrize("challenge", ["<script>", "", "a b", "x" * 129, "é", "1\n", "١٢"])
def test_a_challenge_that_could_be_markup_is_not_echoed(ig: Addon, challenge: str) -> None:
    assert ask(ig, challenge=challenge) == Refused(403, "challenge")


@pytest.mark.usefixtures("verify_token")
def test_an_accounts_address_takes_its_own_token_only(account: AccountRef, ig: Addon) -> None:
    studio = world.connect(ig, STUDIO, workspace_id=world.workspace("Studio"))
    assert ask(ig, account.uuid) == Verified("1158201444", account.id)
    assert ask(ig, studio.uuid) == Refused(403, "verify_token", studio.id, "r/5")
    assert ask(ig, "0" * 32) == Refused(403, "verify_token", None, "r/5")
    assert ask(ig) == Verified("1158201444", account.id)


@pytest.mark.usefixtures("verify_token")
def test_the_token_of_a_disconnected_account_stops(account: AccountRef, ig: Addon) -> None:
    world.disconnect(account)
    assert isinstance(ask(ig), Refused)
    assert isinstance(ask(ig, account.uuid), Refused)


def test_with_nobody_connected_nothing_verifies(desk: db.Database, ig: Addon) -> None:
    assert isinstance(ask(ig), Refused)
    assert isinstance(ask(ig, verify_token=""), Refused)
