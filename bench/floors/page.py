"""The floor of a desk at rest: Flask on the same server, one page that says one word."""

from __future__ import annotations

from flask import Flask

application = Flask("floor")


@application.get("/login")
def page() -> str:
    return "Sign in"
