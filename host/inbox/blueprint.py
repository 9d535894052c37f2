"""The blueprint all inbox pages hang on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("inbox", __name__)
