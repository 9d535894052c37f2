"""The control API, which only the sandbox has, for people and tests."""
