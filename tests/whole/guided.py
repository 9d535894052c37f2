"""A desk for the calls of the guide: a customer who wrote, and the files that the guide's addresses name."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.core.servers import answer, read_request, serving
from tests.media import samples
from tests.whole.rig import Rig, running, until
from tests.whole.shops import POTTERY, POTTERY_OWNER, furnish, point_webhooks

ADDRESS = "https://example.com"
FILES = {
    "product.jpg": samples.picture("JPEG"),
    "summer.jpg": samples.picture("JPEG"),
    "tutorial.mp4": samples.MP4,
    "hello.m4a": samples.M4A,
    "catalogue.pdf": samples.PDF,
}


@dataclass
class GuidedDesk:
    """A running desk.

    :param key: of the workspace whose customer wrote.
    :param files: the address that stands for example.com.
    """

    rig: Rig
    key: str
    files: str

    def api(self, path: str) -> Any:
        """Return the answer to a GET."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.get(f"{self.rig.url}/api/v1{path}", headers=headers, timeout=60).json()

    def sent(self) -> list[dict[str, Any]]:
        """Return what arrived at the provider from the desk, without signs of typing."""
        entries = self.rig.control("GET", "ledger?kind=send")["entries"]
        return [one for one in entries if one.get("what") not in {"mark_seen", "typing_on", "typing_off"}]


@contextmanager
def guided_desk(folder: Path, addon_zip: Path, hosts: Sequence[str] = ()) -> Iterator[GuidedDesk]:
    """Run a desk and the server with the files.

    :param hosts: other addresses the desk may reach.
    """

    def give(connection: socket.socket) -> None:
        while asked := read_request(connection):
            name = asked.split()[1].decode().removeprefix("/")
            connection.sendall(answer(FILES[name]))

    with serving(give) as files:
        address = f"127.0.0.1:{files.port}"
        for rig in running(folder):
            allowed = [rig.environment["LOBBY_ALLOW_HOSTS"], address, *hosts]
            rig.settings["LOBBY_ALLOW_HOSTS"] = ",".join(allowed)
            made = furnish(rig, addon_zip, keys={"Pottery": POTTERY_OWNER})
            rig.start()
            point_webhooks(rig)
            written = {"account": POTTERY.igid, "customer": POTTERY.customer, "text": "Is it in stock?"}
            rig.control("POST", "dm", written)
            desk = GuidedDesk(rig, made["keys"]["Pottery"], f"http://{address}")
            until(lambda: desk.api("/conversations")["data"], "the conversation")  # noqa: B023
            yield desk
