"""A push is encrypted as RFC 8291 has it, and signed as RFC 8292 has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from host.core import clock, db
from host.push import encrypting, vapid
from host.push.models import PushKey
from tests.push.service import BrowserKeys, unbase64url, verified

# RFC 8291, Appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
DEVICE_PRIVATE = unbase64url("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
DEVICE_PUBLIC = unbase64url(
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = unbase64url("BTBZMqHH6r4Tts7J_aSIgg")
SENDER_PRIVATE = unbase64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
SALT = unbase64url("DGv6ra1nlYgDCS1FRnbzlw")
BODY = unbase64url(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
    "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_rfc_8291() -> None:
    key = ec.derive_private_key(int.from_bytes(SENDER_PRIVATE), ec.SECP256R1())
    body = encrypting.encrypt(PLAIN, DEVICE_PUBLIC, AUTH, padded_to=1, key=key, salt=SALT)
    assert body == BODY
    device = BrowserKeys(DEVICE_PRIVATE, AUTH)
    assert device.point == DEVICE_PUBLIC
    assert device.decrypt(BODY) == PLAIN, "the reader of the tests reads the example as well"


@given(st.text(max_size=998).map(str.encode))
def test_every_text_arrives_and_its_length_shows_little(text: bytes) -> None:
    device = BrowserKeys()
    body = encrypting.encrypt(text, device.point, device.auth)
    assert device.decrypt(body) == text.rstrip(b"\x00") or b"\x00" in text
    assert len(body) <= 4096
    assert (len(body) - 103) % encrypting.PADDED_TO == 0 or len(body) == 4096


def test_the_longest_text_fits_and_a_longer_one_is_refused() -> None:
    device = BrowserKeys()
    assert len(encrypting.encrypt(b"x" * encrypting.LONGEST, device.point, device.auth)) == 4096
    with pytest.raises(ValueError, match="shorter"):
        encrypting.encrypt(b"x" * (encrypting.LONGEST + 1), device.point, device.auth)


def test_two_pushes_of_one_text_share_nothing() -> None:
    device = BrowserKeys()
    one, other = (encrypting.encrypt(PLAIN, device.point, device.auth) for _ in range(2))
    assert one[:16] != other[:16]
    assert one[21:86] != other[21:86]


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x02" + bytes(32), DEVICE_PUBLIC[:-1]])
def test_what_is_no_point_of_the_curve_is_refused(point: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are the library's
        encrypting.public_key(point)


@pytest.mark.parametrize("text", ["a", "????", "ab cd", "ä", "a=b="])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are the library's
        encrypting.decoded(text)


def test_the_key_pair_is_made_once_and_its_private_half_is_sealed(any_database: db.Database) -> None:
    public = db.write(vapid.public_key)
    assert db.write(vapid.public_key) == public
    with db.read() as session:
        pair = vapid.key_pair(session)
        stored = session.scalars(sa.select(PushKey.private)).one()
    assert pair is not None
    assert pair.public == public
    assert stored.startswith("v1:k1:")
    assert "PRIVATE" in pair.private.reveal()


def test_the_token_is_for_one_push_service_and_half_a_day(database: db.Database) -> None:
    public = db.write(vapid.public_key)
    with db.read() as session:
        pair = vapid.key_pair(session)
    assert pair is not None
    header = vapid.authorization(
        pair, "https://updates.push.services.mozilla.com/wpush/v2/x", "https://d.example"
    )
    claims, key = verified(header)
    assert key == public
    assert claims["aud"] == "https://updates.push.services.mozilla.com"
    assert claims["sub"] == "https://d.example"
    left = datetime.fromtimestamp(claims["exp"], UTC) - clock.now()
    assert timedelta(hours=11) < left <= timedelta(hours=12)
