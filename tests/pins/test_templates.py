"""Templates of the host come before an addon's, wherever they lie and whatever the addon is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Blueprint, Flask

from host.features import registry
from tests.helpers import make_config
from tests.pins.pinning import shipped_generation

THEIRS = "An addon's own words"
MANIFEST = """\
slug = "{slug}"
name = "Named like a part of the host"
version = "1.0.0"
publisher = "Lobby tests"
description = "Brings templates under the names of the host's."
license = "MIT"
package = "{slug}"
host = ">=1.0,<2"
python = ">=3.11"
"""
ADDON = """\
from flask import Blueprint
from host.sdk.hookspecs import hookimpl

bp = Blueprint("{slug}_of_an_addon", __name__, template_folder="../templates")


@hookimpl
def register_blueprints():
    return [bp]
"""


def addon(folder: Path, slug: str, *templates: str) -> Path:
    """Write an addon called *slug*, with *templates* below its name, and return its folder."""
    texts = {
        "addon.toml": MANIFEST.format(slug=slug),
        f"{slug}/__init__.py": "",
        f"{slug}/addon.py": ADDON.format(slug=slug),
        **{f"templates/{name}": THEIRS for name in templates},
    }
    for name, text in texts.items():
        path = folder / slug / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / slug


def source(app: Flask, name: str) -> str:
    """Return the text of the template *name*, as pages find it."""
    loader = app.jinja_env.loader
    assert loader is not None
    return loader.get_source(app.jinja_env, name)[0]


def test_an_addon_named_like_a_feature_replaces_none_of_its_templates(tmp_path: Path) -> None:
    folder = addon(tmp_path, "reports", "reports/index.html", "reports/opened.html", "reports/more.html")
    (tmp_path / "data").mkdir()
    app = shipped_generation(make_config(tmp_path / "data"), folders=[folder]).app
    for name in ("reports/index.html", "reports/opened.html"):
        assert THEIRS not in source(app, name), name
    assert source(app, "reports/more.html") == THEIRS, "its own are found all the same"


def test_nor_those_that_lie_with_a_feature_or_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "feature" / "templates" / "reports"
    ours.mkdir(parents=True)
    (ours / "moved.html").write_text("The host's")
    feature = Blueprint("moved", __name__, root_path=str(tmp_path / "feature"), template_folder="templates")
    own = registry.parts
    monkeypatch.setattr(
        registry, "parts", lambda kind, *of: [*own(kind, *of), *([feature] if kind == "blueprints" else [])]
    )
    folders = [
        addon(tmp_path / "addons", "reports", "reports/moved.html"),
        addon(tmp_path / "addons", "bootstrap5", "bootstrap5/form.html"),
    ]
    (tmp_path / "data").mkdir()
    app = shipped_generation(make_config(tmp_path / "data"), folders=folders).app
    assert source(app, "reports/moved.html") == "The host's"
    assert THEIRS not in source(app, "bootstrap5/form.html")
