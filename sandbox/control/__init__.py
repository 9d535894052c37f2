"""The control surface: what only the sandbox has, for people and tests."""
