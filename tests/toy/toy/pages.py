"""The toy's pages: its overview for admins, one for members, one for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template

from host.sdk import accounts, settings

bp = Blueprint("toy_pages", __name__)


def overview() -> Mapping[str, Any]:
    """Return what the overview page shows."""
    return {"greeting": settings.get("toy", "greeting"), "rows": accounts.overview("toy")}


@bp.get("/members")
def members() -> str:
    return render_template("toy/page.html", text="for members")


@bp.get("/about")
def about() -> str:
    return render_template("toy/page.html", text="for everybody")
