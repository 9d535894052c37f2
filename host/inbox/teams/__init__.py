"""Teams of a workspace: models, use cases, pages, API and templates."""
