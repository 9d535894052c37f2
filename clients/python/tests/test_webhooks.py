"""Webhooks are verified as the Standard Webhooks library does it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError as OracleError

from lobby_client import webhooks
from lobby_client.errors import WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
BODY = json.dumps({"event": "message.received", "data": {"text": "Grüße 💙"}}, ensure_ascii=False).encode()


def headers(
    body: bytes = BODY, *, secret: str = SECRET, age: int = 0, **changed: str | None
) -> dict[str, str]:
    """Return the headers of a webhook signed *age* seconds ago, some of them *changed*; None: left out."""
    made = webhooks.headers_of(secret, "evt_1", int(time.time()) - age, body)
    for name, value in changed.items():
        del made[name.replace("_", "-")]
        if value is not None:
            made[name.replace("_", "-")] = value
    return made


def test_what_the_library_signs_is_genuine_and_what_is_signed_here_is_so_there() -> None:
    now = int(time.time())
    when = datetime.fromtimestamp(now, tz=UTC)
    theirs = Oracle(SECRET).sign("evt_1", when, BODY.decode())
    assert webhooks.sign(SECRET, "evt_1", now, BODY) == theirs
    assert Oracle(SECRET).verify(BODY, headers()) == json.loads(BODY)
    given = headers(webhook_timestamp=str(now), webhook_signature=theirs)
    found = webhooks.verify(given, BODY, SECRET)
    assert (found.id, found.event, found.data) == ("evt_1", "message.received", {"text": "Grüße 💙"})
    assert found.timestamp == when


def signature(found: dict[str, str]) -> str:
    return found["webhook-signature"]


def several() -> dict[str, str]:
    made = headers()
    return {**made, "webhook-signature": f"v1,bm8= v2,xx {signature(made)} v1a,yy"}


CASES: dict[str, Callable[[], tuple[dict[str, str], bytes]]] = {
    "right": lambda: (headers(), BODY),
    "several, one right": lambda: (several(), BODY),
    "another body": lambda: (headers(), BODY + b" "),
    "another secret": lambda: (headers(secret=OTHER), BODY),
    "another id": lambda: (headers(webhook_id="evt_2"), BODY),
    "another version": lambda: (headers(webhook_signature="v2," + signature(headers())[3:]), BODY),
    "without its version": lambda: (headers(webhook_signature=signature(headers())[3:]), BODY),
    "cut": lambda: (headers(webhook_signature=signature(headers())[:-2]), BODY),
    "no signature": lambda: (headers(webhook_signature=None), BODY),
    "no id": lambda: (headers(webhook_id=None), BODY),
    "no time": lambda: (headers(webhook_timestamp=None), BODY),
    "an empty signature": lambda: (headers(webhook_signature=""), BODY),
    "too old": lambda: (headers(age=400), BODY),
    "from the future": lambda: (headers(age=-400), BODY),
    "a little old": lambda: (headers(age=240), BODY),
    "no moment": lambda: (headers(webhook_timestamp="soon"), BODY),
    "not ASCII": lambda: (headers(webhook_signature="v1,é"), BODY),
}


@pytest.mark.parametrize("case", CASES)
def test_the_library_decides_the_same(case: str) -> None:
    given, body = CASES[case]()

    def decided(verify: Any) -> bool:
        try:
            verify()
        except (WebhookVerificationError, OracleError, TypeError, ValueError):
            return False
        return True

    ours = decided(lambda: webhooks.verify(given, body, SECRET))
    assert ours == decided(lambda: Oracle(SECRET).verify(body, given))
    assert ours == (case in {"right", "several, one right", "a little old"})


def test_everything_that_is_not_genuine_is_one_error() -> None:
    for case in CASES.values():
        given, body = case()
        try:
            webhooks.verify(given, body, SECRET)
        except WebhookVerificationError as error:
            assert SECRET not in str(error)  # noqa: PT017
    for stamp in ("1e9", " 1", "-1", "٣", "9" * 40, "1.5"):
        with pytest.raises(WebhookVerificationError):
            webhooks.verify(headers(webhook_timestamp=stamp), BODY, SECRET)


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'{"event": "a"}', b'{"event": "a", "data": 1}', b"\xff"]
)
def test_a_genuine_webhook_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookVerificationError, match="form"):
        webhooks.verify(headers(body), body, SECRET)


def test_while_a_secret_is_changed_both_count() -> None:
    for secret in (SECRET, OTHER):
        assert webhooks.verify(headers(secret=secret), BODY, [OTHER, SECRET]).id == "evt_1"


def test_headers_may_be_in_any_case_and_the_body_may_be_text() -> None:
    given = {name.title(): value for name, value in headers().items()}
    assert webhooks.verify(given, BODY.decode(), SECRET).event == "message.received"


def test_the_tolerance_can_be_chosen() -> None:
    given = webhooks.headers_of(SECRET, "evt_1", 1_000_000, BODY)
    assert webhooks.verify(given, BODY, SECRET, now=1_000_300.0).id == "evt_1"
    with pytest.raises(WebhookVerificationError, match="too old"):
        webhooks.verify(given, BODY, SECRET, now=1_000_300.5)
    assert webhooks.verify(given, BODY, SECRET, now=1_000_900.0, tolerance=1000).id == "evt_1"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_!!!!", [], ["whsec_"]])
def test_a_secret_that_is_none_is_a_mistake_of_the_program(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        webhooks.verify(headers(), BODY, secret)
    assert not isinstance(caught.value, WebhookVerificationError)


def test_a_new_secret_is_one() -> None:
    secret = webhooks.new_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert webhooks.verify(headers(secret=secret), BODY, secret).id == "evt_1"
