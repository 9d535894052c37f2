"""What a form says of an id is an id, nothing, or refused."""

from __future__ import annotations

import pytest
from flask import Flask

from host.core.errors import InvalidError
from host.inbox.pages import arguments


def given(text: str) -> int | None:
    with Flask(__name__).test_request_context(method="POST", data={"assignee": text}):
        return arguments.form_id("assignee")


@pytest.mark.parametrize(("text", "id_"), [("", None), (" 7 ", 7), (str(2**63 - 1), 2**63 - 1)])
def test_an_id_is_as_long_as_the_database_counts(text: str, id_: int | None) -> None:
    assert given(text) == id_


@pytest.mark.parametrize("text", [str(2**63), "9" * 4301, "-1", "seven", "٧"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        given(text)
