"""Push notifications to phones and browsers."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("models",),
    of_desk=("push_keys", "push_devices"),
    blueprints=("views:bp",),
    sentences="audit",
    jobs=(Job("pushes", "sending:send_due", 1.0),),
    sealed={"push_keys": ("private",), "push_devices": ("auth",)},
    data="data",
)
