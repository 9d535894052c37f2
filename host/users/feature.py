"""Users, workspaces, sign-in, roles and the audit log."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.users", "host.models.signing_in"),
    of_desk=(
        "authenticator_apps",
        "counters",
        "desk_settings",
        "installation_values",
        "login_sessions",
        "passkeys",
        "password_links",
        "provider_identities",
        "recovery_codes",
        "sign_in_settings",
        "sign_in_steps",
        "users",
        "workspaces",
    ),
    blueprints=("pages.views:bp",),
    jobs=(
        Job("password links", "password_links:send_due", 5.0),
        Job("invitations", "invitations:send_due", 5.0),
    ),
    sealed={
        "authenticator_apps": ("secret",),
        "sign_in_settings": ("client_secret",),
        "desk_settings": ("value",),
    },
    commands={"setup-link": "host.cli.users:setup_link", "user": "host.cli.users:group"},
    ids={"workspace_id": ""},
    names={"people": "data:NAMES"},
    sentences="audit_words",
    data="data",
)
