"""The settings of a client, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Optional

URL = "LOBBY_URL"
KEY = "LOBBY_API_KEY"
EARLIER = {URL: "DESK_URL", KEY: "DESK_API_KEY"}
"""Names that are read if the first ones are not set."""


@dataclass(frozen=True)
class Settings:
    """How calls are made.

    :param timeout: seconds an attempt may wait for the desk.
    :param max_retries: how often a call is retried.
    :param page_size: how many entries ``list`` and the like ask for at a time.
    """

    timeout: float = 30.0
    max_retries: int = 4
    page_size: int = 100

    def changed(
        self, timeout: Optional[float], max_retries: Optional[int], page_size: Optional[int]
    ) -> Settings:
        """Return settings that differ where a value is given."""
        given = {"timeout": timeout, "max_retries": max_retries, "page_size": page_size}
        changes: Mapping[str, object] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **changes)  # type: ignore[arg-type]


def of_environment(name: str) -> str:
    """Return the value of ``LOBBY_URL`` or ``LOBBY_API_KEY``, or of its earlier name, or an empty text."""
    return os.environ.get(name) or os.environ.get(EARLIER[name], "")


def given_key(api_key: Optional[str]) -> str:
    """Return the API key to use.

    :raises ValueError: if there is none, or it can't be one.
    """
    key = (of_environment(KEY) if api_key is None else api_key).strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError(f"api_key is missing, or holds what no key does; {KEY} is another way to give it")
    return key


def given_url(url: Optional[str], base_url: Optional[str]) -> tuple[str, str]:
    """Return the address of the desk, and what the caller calls it.

    :raises ValueError: if there is none, or two.
    """
    if url is not None and base_url is not None:
        raise ValueError("base_url is the earlier name of url; give one of them")
    if base_url is not None:
        return base_url, "base_url"
    found = of_environment(URL) if url is None else url
    if not found:
        raise ValueError(f"url is missing; {URL} is another way to give it")
    return found, "url"
