"""Assistants: their knowledge, suggestions and answers."""

from host.features.feature import Feature, Job, Switch, noop

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=(
        "pages.views:bp",
        "pages.model_views:bp",
        "pages.tool_views:bp",
        "pages.knowledge_views:bp",
        "pages.learning_views:bp",
        "pages.case_views:bp",
    ),
    views=("pages.playground_views", "pages.turn_views", "pages.suggestion_views", "pages.prompt_views"),
    routes=(
        "api.cases",
        "api.assistants",
        "api.knowledge",
        "api.learning",
        "api.playground",
        "api.tool_calls",
        "api.tools",
        "api.turns",
    ),
    jobs=(
        Job("assistants", "turn_worker:think_due", 0.25, "turn_worker:due"),
        Job("forgotten conversations", "turn_worker:give_forgotten", 20.0),
        Job("knowledge", "knowledge.refreshing:read_due", 5.0, "knowledge.refreshing:due"),
    ),
    sealed={"language_models": ("key",), "assistant_tools": ("secret",)},
    ids={
        "turn_id": "data:TURN",
        "call_id": "data:CALL",
        "assistant_id": "",
        "model_id": "",
        "tool_id": "",
        "knowledge_id": "",
        "case_id": "",
        "dismissed_id": "",
    },
    names={"assistants": "data:NAMES"},
    sentences="audit",
    data="data",
    hooks="hooks",
    switch=Switch(
        "bot",
        noop("Assistants"),
        noop("%(who)s turned off assistants on this Lobby server."),
        noop("Suggest and send answers, written by a language model from your team's knowledge."),
        noop("Your setup is kept. Conversations waiting for an assistant go to your team."),
        noop("When you turn it on again, assistants answer only new messages."),
    ),
)
