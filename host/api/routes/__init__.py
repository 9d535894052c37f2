"""The routes of the API, declared by features."""
