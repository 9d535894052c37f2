"""A desk a program talks to: a workspace, a scene in it, and clients that show a key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from host.core import db
from host.models.users import Role
from host.sdk.channel import ChannelAdapter
from host.users import api_keys as keys
from host.users.api_keys import Scope
from tests import helpers
from tests.inbox import desks as inbox_desks
from tests.inbox.scenes import Scene

BASE = "/api/v1"


@dataclass
class Program:
    """Something that calls the API with one key."""

    app: Flask
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Call *path* below the API with a JSON body, or with *options* of the test client."""
        headers = {"Authorization": f"Bearer {self.token}", **self.headers, **options.pop("headers", {})}
        if body is not None:
            options |= {"data": json.dumps(body), "content_type": "application/json"}
        with self.app.test_client() as client:
            response = client.open(BASE + path, method=method, headers=headers, **options)
            response.get_data()
            return response

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET that has to work."""
        response = self.call("GET", path, query_string=query or None)
        assert response.status_code == 200, response.text
        return response.json

    def send(self, method: str, path: str, body: Any, status: int = 200, **options: Any) -> Any:
        """Return the answer to a call that has to be answered with *status*."""
        response = self.call(method, path, body, **options)
        assert response.status_code == status, response.text
        return response.json

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and error of a call that has to be refused."""
        response = self.call(method, path, body, **options)
        assert 400 <= response.status_code < 500, response.text
        assert response.json is not None
        return response.status_code, response.json["error"]


@dataclass
class ApiDesk:
    """A workspace as :mod:`tests.inbox.desks` makes one, and a program with a key of it."""

    inbox: inbox_desks.Desk
    scene: Scene
    program: Program
    reader: Program

    @property
    def app(self) -> Flask:
        return self.inbox.app

    @property
    def workspace(self) -> int:
        return self.inbox.workspace


def make_key(workspace: int, *scopes: Scope, name: str = "Shop") -> str:
    """Make a key of *workspace* and return it; without *scopes* it may do everything."""
    owner = helpers.make_user(workspace=workspace, role=Role.OWNER)
    return db.write(
        keys.create, workspace_id=workspace, name=name, scopes=scopes or tuple(Scope), created_by=owner.id
    )


def open_api_desk(data: Path, *adapters: ChannelAdapter, **environment: Any) -> ApiDesk:
    """Open a desk with an empty workspace and two keys: one for everything, one for reading."""
    inbox = inbox_desks.open_desk(data, *adapters, **environment)
    program = Program(inbox.app, make_key(inbox.workspace))
    reader = Program(inbox.app, make_key(inbox.workspace, Scope.READ, name="Export"))
    return ApiDesk(inbox, Scene(inbox), program, reader)
