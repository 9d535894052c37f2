"""Clean-up of data of accounts."""

from __future__ import annotations

from host.channels import sign_in_attempts
from host.core import db
from host.features.hookspecs import hookimpl


@hookimpl
def clean_up() -> None:
    """Delete finished sign-in attempts."""
    db.write(sign_in_attempts.forget_old)
