"""A browser that watches a running desk."""

from __future__ import annotations

import threading

import requests

from demo.journey import Journey

SECONDS = 60.0


class watching:  # noqa: N801 - read as a sentence
    """Someone's browser with the inbox open: a live stream that is read."""

    def __init__(self, j: Journey) -> None:
        self._j = j

    def __enter__(self) -> None:
        page = self._j.admin.session.get(f"{self._j.host.url}/")
        workspace = page.url.split("/w/")[1].split("/")[0]
        self._answer: requests.Response = self._j.admin.session.get(
            f"{self._j.host.url}/w/{workspace}/live", stream=True, timeout=SECONDS
        )
        assert self._answer.status_code == 200
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for _ in self._answer.iter_content(1):
                pass
        except (requests.RequestException, AttributeError, ValueError):
            pass

    def __exit__(self, *_: object) -> None:
        self._answer.close()
