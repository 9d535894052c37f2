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
    with pytest.raises(config.ConfigError, match=r"pip install .*whl\[redis\]") as told:
        config.load({"LOBBY_LIMITS_URL": "redis://:pw-4711@cache/0"})
    assert "pw-4711" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://me:pw@db/desk", "postgresql+psycopg://me:pw@db/desk"),
        (
            "postgresql://me:pw@db:5433/desk?sslmode=require",
            "postgresql+psycopg://me:pw@db:5433/desk?sslmode=require",
        ),
        ("mysql://me:p%40w@db/desk", "mariadb+pymysql://me:p%40w@db/desk"),
        ("mariadb://me:pw@db/desk?charset=utf8mb4", "mariadb+pymysql://me:pw@db/desk?charset=utf8mb4"),
        ("mysql+pymysql://me:pw@db/desk", "mysql+pymysql://me:pw@db/desk"),
        ("sqlite:////var/lib/lobby.sqlite3", "sqlite:////var/lib/lobby.sqlite3"),
    ],
)
def test_addresses_of_databases_as_hosting_services_show_them(given: str, used: str) -> None:
    assert config.load({"LOBBY_DATABASE_URL": given}).database_url == used


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("oracle://me:pw-4711@db/desk", "must begin with postgresql://"),
        ("postgresql+asyncpg://me:pw-4711@db/desk", "must begin with postgresql://"),
        ("pw-4711", "must begin with postgresql://"),
        ("postgres://me:pw-4711@x@db/desk", "%40 for an @ in the password"),
        ("postgres://me:a@b/pw-4711@db/desk", "%40 for an @ in the password"),
        ("postgres://me:secret@db:pw-4711/desk", "must look like"),
        ("mysql://me:pw-4711@db", "must look like"),
        ("mysql://me:pw-4711@db/desk?ssl-mode=REQUIRED", "an option behind the ?"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
    ],
)
def test_an_address_that_leads_to_no_database_is_refused_without_being_told(given: str, told: str) -> None:
    with pytest.raises(config.ConfigError, match=told.replace("?", r"\?")) as refused:
        config.load({"LOBBY_DATABASE_URL": given})
    assert "pw-4711" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"LOBBY_BIND": "0.0.0.0:8081"}, "http://127.0.0.1:8081"),
        ({"LOBBY_BIND": "127.0.0.1:0"}, "http://127.0.0.1:8080"),
        (
            {"LOBBY_BIND": "127.0.0.1:8081", "LOBBY_PUBLIC_URL": "https://desk.example"},
            "https://desk.example",
        ),
    ],
)
def test_links_of_a_desk_without_an_address_lead_to_its_port(given: dict[str, str], address: str) -> None:
    assert config.load(given).public_url == address
