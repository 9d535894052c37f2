"""Live events for open pages."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    blueprints=("views:bp",),
    data="data",
)
