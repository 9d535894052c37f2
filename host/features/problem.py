"""Problems for an operator."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One problem.

    :param tone: ``bad`` if something is lost or stuck, ``warn`` otherwise.
    :param link: endpoint and arguments of the page that helps, or None.
    :param alert: the alert that fires if it lasts, with a section in the runbook. Empty: none.
    """

    tone: str
    fact: str
    advice: str
    link: tuple[str, Mapping[str, str]] | None = None
    link_text: str = ""
    alert: str = ""
