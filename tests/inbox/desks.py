"""An app with the toy channel, for tests of the inbox's pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
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
    """A workspace with one account and one person, who signs in with the first page.

    The app is made when it is first asked for: many tests open no page, and most take less time.
    """

    make_app: Callable[[], Flask]
    hub: Hub
    workspace: int
    account: AccountRef
    mia: User
    generation: Any

    @cached_property
    def app(self) -> Flask:
        app = self.make_app()
        app.test_client_class = Browser
        return app

    @cached_property
    def browser(self) -> Browser:
        return helpers.client_for(self.app, self.mia)

    def sign_in(self) -> None:
        """Sign the person in now, where statements are counted or time moves before the first page."""
        assert self.browser is not None

    def path(self, rest: str = "") -> str:
        return f"/w/{self.workspace}/inbox{rest}"


def open_desk(data: Path, *adapters: ChannelAdapter, **environment: Any) -> Desk:
    generation = helpers.StandInGeneration(directory=Directory(adapters or (toys.WINDOWED,)))
    hub = Hub()
    host = SimpleNamespace(hub=hub)
    workspace = helpers.make_workspace("Sample Pottery")
    mia = helpers.make_user(name="Mia R.", workspace=workspace)
    return Desk(
        make_app=partial(helpers.build_app, data, generation=generation, host=host, **environment),
        hub=hub,
        workspace=workspace,
        account=toys.make_account(workspace),
        mia=mia,
        generation=generation,
    )
