"""Settings that cannot be used are refused at the start, by name, and without their value."""

from __future__ import annotations

import pytest

from host.core import config, config_servers


def test_limits_are_counted_where_the_process_can_count() -> None:
    assert config.load({"LOBBY_LIMITS_URL": "redis://:pw-4711@cache/0"}).limits_url.startswith("redis://")


def test_an_address_nobody_can_count_at_is_refused_without_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(config.ConfigError, match="must begin with memory://") as told:
        config.load({"LOBBY_LIMITS_URL": "mongodb://me:pw-4711@cache/0"})
    assert "pw-4711" not in str(told.value)
    monkeypatch.setattr(config_servers, "find_spec", lambda name: None)
    with pytest.raises(config.ConfigError, match=r"pip install 'lobby\[redis\]'") as told:
        config.load({"LOBBY_LIMITS_URL": "redis://:pw-4711@cache/0"})
    assert "pw-4711" not in str(told.value)
