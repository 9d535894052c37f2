"""The blueprint of all views of files."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("media", __name__)
