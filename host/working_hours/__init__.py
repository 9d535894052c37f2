"""Working hours of a workspace and its teams: models, use cases, pages, API and templates."""
