"""The health page: problems of this desk, and its figures."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("host.models.health",),
    of_desk=("health_minutes", "processes"),
    blueprints=("views:bp",),
    commands={"doctor": "host.cli.doctor:doctor"},
    data="data",
)
