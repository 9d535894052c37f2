"""Drafts that follow a person to every tab and device."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    data="data",
)
