"""The blueprint every address of files hangs on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("media", __name__)
