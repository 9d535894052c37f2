"""An app with the toy channel, for tests of the inbox's pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask

from host.channels.directory import Directory
from host.live.hub import Hub
from host.models.users import User
from host.sdk.channel import AccountRef, ChannelAdapter
from tests import helpers
from tests.helpers import Browser
from tests.inbox import toys


@dataclass
class Desk:
    """A workspace with one account and one person signed in."""

    app: Flask
    hub: Hub
    workspace: int
    account: AccountRef
    mia: User
    browser: Browser
    generation: Any

    def path(self, rest: str = "") -> str:
        return f"/w/{self.workspace}/inbox{rest}"


def open_desk(data: Path, *adapters: ChannelAdapter, **environment: Any) -> Desk:
    generation = helpers.StandInGeneration(directory=Directory(adapters or (toys.WINDOWED,)))
    hub = Hub()
    host = SimpleNamespace(hub=hub)
    app = helpers.build_app(data, generation=generation, host=host, **environment)
    workspace = helpers.make_workspace("Sample Pottery")
    mia = helpers.make_user(name="Mia R.", workspace=workspace)
    return Desk(
        app=app,
        hub=hub,
        workspace=workspace,
        account=toys.make_account(workspace),
        mia=mia,
        browser=helpers.client_for(app, mia),
        generation=generation,
    )
