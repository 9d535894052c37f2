"""The addon's contributions to the host, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.hookspecs import hookimpl
from host.sdk.panels import ComposerAction, Panel

from .beside import ACTION, PANEL


@hookimpl
def register_panels() -> Sequence[Panel]:
    return [PANEL]


@hookimpl
def register_composer_actions() -> Sequence[ComposerAction]:
    return [ACTION]
