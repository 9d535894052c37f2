"""What Meta's error codes mean: the catalogue is complete, in plain words, and subcodes outrank codes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.instagram.world import ADDON, Addon

ROOT = ADDON.parents[1]

WAIT, RECONNECT, REJECTED, UNKNOWN = "wait", "reconnect", "rejected", "unknown"

TABLE: list[tuple[int, int | None, str]] = [
    (1, None, UNKNOWN),
    (1, 1357046, UNKNOWN),
    (2, None, UNKNOWN),
    (2, 1545133, UNKNOWN),
    (-1, None, UNKNOWN),
    (1200, None, UNKNOWN),
    (3, None, REJECTED),
    (5, None, REJECTED),
    (99, None, REJECTED),
    (4, None, WAIT),
    (4, 2018354, REJECTED),
    (9, 2018352, REJECTED),
    (10, None, REJECTED),
    (10, 2534022, REJECTED),
    (10, 2018278, REJECTED),
    (10, 2018065, REJECTED),
    (10, 2018108, REJECTED),
    (10, 2534077, WAIT),
    (10, 1893063, WAIT),
    (17, None, WAIT),
    (32, None, WAIT),
    (100, None, REJECTED),
    *((100, subcode, REJECTED) for subcode in (33, 2018001, 2018008, 2018047, 2018074, 2018109, 2018294)),
    *((100, subcode, REJECTED) for subcode in (2018034, 2534014, 2534015, 2534025, 2534037)),
    *((100, subcode, WAIT) for subcode in (2534013, 2534029)),
    (102, None, RECONNECT),
    *((190, subcode, RECONNECT) for subcode in (None, 456, 457, 458, 459, 460, 461, 463, 464, 467, 492)),
    (200, None, REJECTED),
    (200, 2018028, REJECTED),
    (200, 1545041, REJECTED),
    (200, 2534041, WAIT),
    (230, None, REJECTED),
    (299, None, REJECTED),
    (341, None, WAIT),
    (368, None, WAIT),
    (551, None, REJECTED),
    (551, 1545041, REJECTED),
    (613, None, WAIT),
    (613, 2534040, WAIT),
    (613, 2018338, WAIT),
    (613, 1996, WAIT),
    (613, 1893016, REJECTED),
    (2022, None, REJECTED),
    (36103, None, WAIT),
    *((code, None, WAIT) for code in range(80000, 80015)),
    (9010, None, REJECTED),
    (9000001, None, REJECTED),
    (2018300, None, REJECTED),
    (2018218, None, REJECTED),
    (2018247, None, REJECTED),
    (2534001, None, REJECTED),
]


@pytest.mark.parametrize(("code", "subcode", "outcome"), TABLE)
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_code_and_subcode_decide_and_the_status_never(
    ig: Addon, code: int, subcode: int | None, outcome: str, status: int
) -> None:
    error = ig.graph.GraphError("words", code=code, subcode=subcode, status=status)
    assert ig.errors.classify(error).outcome == outcome


def test_a_subcode_in_the_place_of_the_code_is_known_too(ig: Addon) -> None:
    assert ig.errors.lookup(100, 2018300) == ig.errors.lookup(2018300, None)


def test_no_entry_is_there_twice(ig: Addon) -> None:
    keys = [(known.code, known.subcode, known.words) for known in ig.errors.catalogue()]
    assert len(keys) == len(set(keys))


def test_only_what_is_about_one_customer_closes_the_composer(ig: Addon) -> None:
    closing = {(known.code, known.subcode) for known in ig.errors.catalogue() if known.closes}
    assert closing == {
        (10, 2018108),
        (100, 2018001),
        (100, 2534014),
        (200, 1545041),
        (551, None),
        (551, 1545041),
        (2534001, None),
    }
    for known in ig.errors.catalogue():
        if known.closes:
            assert (known.outcome, known.scope) == (REJECTED, "contact")
            assert known.next_step


def test_the_limit_of_an_app_is_of_the_app_and_a_dead_token_of_the_account(ig: Addon) -> None:
    scopes = {(known.code, known.subcode): known.scope for known in ig.errors.catalogue()}
    assert {scopes[4, None], scopes[341, None]} == {"app"}
    assert {scopes[613, None], scopes[368, None], scopes[80000, None], scopes[17, None]} == {"account"}
    assert {scope for (code, _), scope in scopes.items() if code == 190} == {"account"}


def test_the_catalogue_and_the_adapters_own_sentences_can_be_translated(ig: Addon) -> None:
    from babel.messages.extract import extract_from_dir
    from babel.messages.frontend import parse_mapping_cfg

    with (ROOT / "babel.cfg").open() as file:
        mapping, options = parse_mapping_cfg(file)
    keywords = {"noop": None, "gettext": None, "_": None, "lazy_gettext": None}
    addon = [(pattern, method) for pattern, method in mapping if pattern.startswith("addons")]
    found = extract_from_dir(ROOT, addon, options, keywords)
    texts = {text for _file, _line, text, _comments, _context in found if isinstance(text, str)}
    known = [*ig.errors.catalogue(), ig.errors.UNREACHABLE, ig.errors.UNCONFIRMED, ig.errors.TOO_MANY]
    known += [
        ig.errors.UNLISTED,
        ig.sending.replies.NO_CREDENTIALS,
        ig.sending.replies.TOO_LONG,
        ig.sending.replies.NOT_SENDABLE,
    ]
    known += [
        ig.sending.replies.REFUSED_ONCE,
        ig.sending.replies.NOT_PREPARED,
        ig.sending.replies.NO_SUCH_POST,
    ]
    for one in known:
        assert {one.sentence, one.cause, one.next_step} - {""} <= texts, one
    assert {ig.policy.CLOSED, ig.policy.NEVER_WROTE, ig.policy.PEOPLE_ONLY} <= texts


def test_every_entry_is_written_for_people(ig: Addon) -> None:
    for known in ig.errors.catalogue():
        for words in filter(None, (known.sentence, known.cause, known.next_step)):
            assert words[0].isupper() or words.startswith("“"), words
            assert words.endswith("."), words
            assert "%" not in words, "the sentence is translated as it stands"
            assert "{" not in words
        if known.outcome != REJECTED:
            assert known.next_step, known.code


def test_the_window_sentence_names_both_causes(ig: Addon) -> None:
    known = ig.errors.lookup(10, 2534022)
    assert "approved" in known.sentence
    assert "Human Agent" in known.next_step


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ({"sent": False}, WAIT),
        ({"sent": True}, UNKNOWN),
        ({"status": 429}, WAIT),
        ({"status": 500}, UNKNOWN),
        ({"status": 502}, UNKNOWN),
        ({"status": 200}, UNKNOWN),
        ({"status": 302}, UNKNOWN),
        ({"status": 400}, REJECTED),
        ({"status": 404}, REJECTED),
        ({"code": 77777, "status": 400}, REJECTED),
        ({"code": 77777, "status": 500}, UNKNOWN),
        ({"code": 77777, "status": 400, "transient": True}, UNKNOWN),
        ({"code": 77777, "status": 429}, WAIT),
    ],
)
def test_what_is_not_in_the_catalogue_is_judged_by_whether_it_may_have_arrived(
    ig: Addon, error: dict[str, Any], outcome: str
) -> None:
    assert ig.errors.classify(ig.graph.GraphError("words", **error)).outcome == outcome


def test_every_word_of_the_catalogue_is_a_sentence_about_the_message(ig: Addon) -> None:
    own = [getattr(ig.errors, name) for name in ("UNREACHABLE", "UNCONFIRMED", "TOO_MANY", "UNLISTED")]
    for known in (*ig.errors.catalogue(), *own):
        for words in (known.sentence, known.cause, known.next_step):
            assert not words or ((words[0].isupper() or words[0] in "“") and words[-1] == "."), words
        # The page says in bold that it was not confirmed: the sentence says what is known beyond that.
        assert "did not confirm" not in known.sentence
    for code in (1, 2):
        assert "it isn't known whether the message arrived" in ig.errors.lookup(code, None).sentence
    of_consent = ig.errors.lookup(230, None)
    assert "profile" not in f"{of_consent.sentence} {of_consent.next_step}"
    assert "reply" in of_consent.next_step
