"""The first steps of a workspace, in the inbox's place."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    data="data",
    hooks="hooks",
)
