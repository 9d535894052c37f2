"""The models of a workspace: what may be kept, keys that stay where they were given for, and trying one."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants.language import language_models
from host.assistants.language.language_models import (
    ModelInput,
    ModelNotFoundError,
    ModelSettingError,
    TooManyModelsError,
)
from host.assistants.models import Assistant, LanguageModel
from host.assistants.values import Speaks
from host.core import db, guard, resealing
from host.core.backports.values import replace
from sandbox.model.server import ModelServer
from tests import helpers
from tests.assistants.model_server import KEY
from tests.assistants.staffed import make_assistant
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk

WANTED = ModelInput(
    " Large ", Speaks.OPENAI, "https://api.example.com/v1/", "large-1", KEY, 2_500_000, 10_000_000, "usd"
)


def made(desk: Desk, **more: Any) -> LanguageModel:
    return do(language_models.create, desk.workspace, replace(WANTED, **more))


def test_a_model_is_kept_with_its_key_sealed(desk: Desk) -> None:
    row = made(desk)
    assert (row.name, row.address, row.currency) == ("Large", "https://api.example.com/v1", "USD")
    with db.read() as session:
        stored = session.execute(sa.text("SELECT * FROM language_models")).one()
        setting = language_models.setting_of(session, row.id)
        gone = language_models.setting_of(session, None), language_models.setting_of(session, row.id + 1)
    assert KEY not in str(stored)
    assert setting is not None
    assert setting.key is not None
    assert setting.key.reveal() == KEY
    assert (setting.speaks, setting.price_out) == (Speaks.OPENAI, 10_000_000)
    assert gone == (None, None)


def test_its_key_is_sealed_anew_with_the_other_secrets(desk: Desk) -> None:
    made(desk)
    assert sum(resealing.check_values().by_key.values()) == 1
    assert resealing.check_values().unreadable == []


def test_a_key_stays_where_none_is_given_and_goes_where_it_is_empty(desk: Desk) -> None:
    row = made(desk)
    do(language_models.change, desk.workspace, row.id, replace(WANTED, name="Other", key=None))
    with db.read() as session:
        kept = language_models.setting_of(session, row.id)
    assert kept is not None
    assert kept.key is not None
    assert kept.key.reveal() == KEY
    do(language_models.change, desk.workspace, row.id, replace(WANTED, key=""))
    assert toys.only(LanguageModel).key is None


def test_a_key_is_not_sent_to_another_host(desk: Desk) -> None:
    row = made(desk)
    for address in ("https://evil.example.com/v1", "https://api.example.com.evil.example/v1"):
        with pytest.raises(ModelSettingError) as refused:
            do(language_models.change, desk.workspace, row.id, replace(WANTED, address=address, key=None))
        assert refused.value.field == "key"
    assert toys.only(LanguageModel).address == "https://api.example.com/v1"
    for wanted in (
        replace(WANTED, address="https://api.example.com/v2", key=None),
        replace(WANTED, address="https://other.example.com/v1", key="another-key"),
    ):
        do(language_models.change, desk.workspace, row.id, wanted)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"speaks": "klingon"}, "speaks"),
        ({"model": ""}, "model"),
        ({"model": "x" * 201}, "model"),
        ({"key": "two words"}, "key"),
        ({"key": "schlüssel"}, "key"),
        ({"price_in": -1}, "price_in"),
        ({"price_out": 10**13}, "price_out"),
        ({"currency": "euro"}, "currency"),
        *(
            ({"address": address}, "address")
            for address in (
                "",
                "api.example.com",
                "http://api.example.com/v1",
                "https://api.example.com:8443/v1",
                "https://user:secret@api.example.com/v1",
                "https://api.example.com/v1?key=1",
                "https://api.example.com/v1#x",
                "https://127.0.0.1/v1",
                "http://127.0.0.1:11434/v1",
                "ftp://api.example.com",
                "https://api.example.com:port",
                "https://a b.example.com",
                "https://api.example.com/" + "x" * 500,
            )
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    with pytest.raises(ModelSettingError) as refused:
        made(desk, **change)
    assert refused.value.field == field
    assert toys.everything(LanguageModel) == []


def test_the_operator_may_allow_a_model_on_the_local_network(desk: Desk) -> None:
    guard.allow((), (), (), ["127.0.0.1:11434", "models.pottery.example:8000"])
    try:
        for address in ("http://127.0.0.1:11434/v1", "http://models.pottery.example:8000"):
            assert made(desk, address=address, key="").address == address
    finally:
        guard.allow(())
    hosts = [language_models.host_of(row.address) for row in toys.everything_of(LanguageModel)]
    assert hosts == ["127.0.0.1:11434", "models.pottery.example:8000"]
    assert language_models.host_of("https://api.example.com/v1") == "api.example.com"


def test_a_workspace_has_twenty_and_sees_its_own(desk: Desk) -> None:
    first = made(desk)
    for _ in range(language_models.MOST - 1):
        made(desk)
    with pytest.raises(TooManyModelsError):
        made(desk)
    other = helpers.make_workspace("Other")
    for use_case, arguments in (
        (language_models.change, (other, first.id, WANTED)),
        (language_models.delete, (other, first.id)),
    ):
        with pytest.raises(ModelNotFoundError):
            do(use_case, *arguments)
    with db.read() as session:
        assert len(language_models.listing(session, desk.workspace)) == language_models.MOST
        assert language_models.listing(session, other) == []


def test_what_asked_a_model_that_is_deleted_asks_none(desk: Desk) -> None:
    row = made(desk)
    make_assistant(desk.workspace, "Pia", row.id)
    with db.read() as session:
        (listed,) = language_models.listing(session, desk.workspace)
    assert (listed.host, list(listed.assistants)) == ("api.example.com", ["Pia"])
    assert do(language_models.delete, desk.workspace, row.id) == "Large"
    assert toys.only(Assistant).model_id is None


def test_trying_one_says_what_it_cost_or_what_went_wrong(desk: Desk, model: ModelServer) -> None:
    row = made(desk, address=f"{model.url}/v1", price_in=1_000_000, price_out=2_000_000)
    with db.read() as session:
        setting = language_models.setting_of(session, row.id)
    assert setting is not None
    tried = language_models.try_it(setting)
    assert (tried.reason, bool(tried.answer)) == ("", True)
    assert tried.cost == tried.used.tokens_in + 2 * tried.used.tokens_out > 0
    do(language_models.note_trial, desk.workspace, row.id, tried)
    assert toys.only(LanguageModel).problem is None
    model.model.change({"key": "another"})
    tried = language_models.try_it(setting)
    assert (tried.reason, tried.detail) == ("model_refused", "401: Incorrect API key provided: …")
    assert do(language_models.note_trial, desk.workspace, row.id, tried).problem == "model_refused"
    assert toys.only(LanguageModel).tried_at is not None
    # What was tried is no longer what there is.
    do(language_models.change, desk.workspace, row.id, replace(WANTED, address=f"{model.url}/v1"))
    assert toys.only(LanguageModel).tried_at is None
