"""A desk with a toy channel, and people of two workspaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from host.channels import connecting
from host.channels.directory import Directory
from host.core import db
from host.sdk.channel import AccountRef
from host.web.request_helpers import Role
from tests.channels.toy import ToyAdapter, ToyProvider, toy_card
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user, make_workspace


@dataclass
class Desk:
    """One workspace, its owner, and the provider of the toy channel."""

    data: Path
    provider: ToyProvider
    workspace: int
    flask: Flask
    owner: Any
    adapter: ToyAdapter

    @property
    def path(self) -> str:
        return f"/w/{self.workspace}/settings/channels"

    def client(self, user: Any = None) -> Browser:
        return client_for(self.flask, user or self.owner)

    def connect(self, external_id: str = "17", workspace: int | None = None, **more: Any) -> AccountRef:
        return connecting.save(
            workspace_id=workspace or self.workspace,
            channel="toy",
            connection=self.provider.connection(external_id, **more),
        )

    def without_addon(self) -> Browser:
        """Return a client of a generation in which nobody brings the channel."""
        app = build_app(self.data, generation=StandInGeneration(directory=Directory()))
        return client_for(app, self.owner)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    provider = ToyProvider()
    workspace = make_workspace("Pottery")
    adapter = ToyAdapter()
    directory = Directory([adapter], [toy_card(provider)])
    app = build_app(data, generation=StandInGeneration(directory=directory))
    return Desk(data, provider, workspace, app, make_user(workspace=workspace, role=Role.OWNER), adapter)
