"""Installation, activation and running of addons."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.addons",),
    of_desk=(
        "addon_archive_parts",
        "addon_calls",
        "addon_publishers",
        "addon_releases",
        "addons",
        "parked_requests",
    ),
    blueprints=("views:bp", "hook_views:bp"),
    views=("form_views", "off_pages", "parked_views"),
    jobs=(Job("switched off", "switching:let_go", 2.0),),
    sentences="audit",
    sealed={"addon_settings": ("secret",), "parked_requests": ("about",)},
    commands={"addon": "host.cli.addon:group"},
    data="data",
    hooks="hooks",
)
