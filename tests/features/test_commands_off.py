"""Commands, checks and jobs of a feature that is off: none is listed, run or imported."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from host.core import db, secrets
from host.features import registry
from host.models.health import Kind
from host.users import desk_settings
from host.webhooks import endpoints
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import OffReason
from tests.conftest import KEYS
from tests.health import pretend
from tests.helpers import do, make_workspace


@pytest.fixture
def settings(database: db.Database, data: Path) -> dict[str, str]:
    keys = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in KEYS.items())
    url = database.url.render_as_string(hide_password=False)
    return {"LOBBY_DATA": str(data), "LOBBY_SECRET_KEYS": keys, "LOBBY_DATABASE_URL": url}


def lobby(settings: dict[str, str], *arguments: str) -> Result:
    from host.cli.commands import main

    before = secrets.keyring()
    try:
        return CliRunner().invoke(main, arguments, env=settings)
    finally:
        secrets.use(before)


def switch_off_on_the_page(*names: str) -> None:
    db.write(desk_settings.save, {desk_settings.FEATURES_OFF: ",".join(names)})


def test_a_command_that_the_environment_switches_off_is_not_there(settings: dict[str, str]) -> None:
    assert "  reports " in lobby(settings, "--help").output
    settings["LOBBY_FEATURES_OFF"] = "reports"
    assert "reports" not in lobby(settings, "--help").output
    assert "No such command 'reports'" in lobby(settings, "reports", "rebuild").output


def test_a_command_that_an_admin_switched_off_says_so(settings: dict[str, str]) -> None:
    assert lobby(settings, "reports", "rebuild").exit_code == 0
    switch_off_on_the_page("reports")
    refused = lobby(settings, "reports", "rebuild")
    assert refused.exit_code == 1
    assert "Reports is turned off. An admin can turn it on under Admin, Addons." in refused.output


def test_doctor_says_nothing_of_what_an_admin_switched_off(settings: dict[str, str]) -> None:
    db.write(lambda session: pretend.process(session, "a", Kind.WEB))
    wanted = EndpointSettings("https://crm.example/told", ["message.received"])
    workspace = make_workspace()
    id_ = do(endpoints.create, workspace, wanted, {"message.received"})[0].id
    db.write(lambda session: endpoints.switch_off(endpoints.locked(session, workspace, id_), OffReason.GONE))

    def said() -> list[str]:
        lines = json.loads(lobby(settings, "doctor", "--json", "--no-accounts").stdout)
        return [line["title"] for line in lines if "endpoint" in line["title"]]

    assert said() == ["1 webhook endpoint is off."]
    switch_off_on_the_page("webhooks")
    assert said() == []


def test_jobs_of_what_is_off_are_not_imported() -> None:
    code = """
import sys
from host.features import registry
from host.process import features

registry.switch_off(registry.optional())
found = registry.jobs()
off = tuple(f"host.{name}." for name in registry.optional())
loaded = [name for name in sys.modules if name.startswith(off) and not name.endswith(".feature")]
print(len(found), loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == [str(len(registry.jobs())), "[]\n"]
