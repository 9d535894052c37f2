"""The feature *today*: the owner's first look at a workspace."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    blueprints=("views:bp",),
    hooks="hooks",
)
