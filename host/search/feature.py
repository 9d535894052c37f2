"""Search for messages and contacts."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.search",),
    of_desk=("search_builds",),
    blueprints=("pages.views:bp",),
    routes=("api",),
    jobs=(Job("search", "building:build_gently", 5.0),),
    consumers={"search": "documents:consumer"},
    commands={"search": "host.cli.search:group"},
    data="data",
)
