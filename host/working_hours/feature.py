"""Working hours of workspaces and teams."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    routes=("api",),
    sentences="audit",
)
