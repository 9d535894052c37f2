"""The OpenAPI document says with which bodies endpoints are told."""

from __future__ import annotations

import jsonschema_rs
import pytest

from host.api.http.openapi import document

DOCUMENT = document("http://127.0.0.1:8080")


def told(name: str) -> jsonschema_rs.Validator:
    """Return what holds a body of an event to its schema."""
    schema = DOCUMENT["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


@pytest.mark.parametrize("name", DOCUMENT["webhooks"])
def test_the_sample_of_an_event_keeps_to_its_schema(name: str) -> None:
    sample = DOCUMENT["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["example"]
    told(name).validate(sample)
    assert not told(name).is_valid({**sample, "event": "another"})
    assert not told(name).is_valid({**sample, "data": {}})
