"""The whole desk in one file: made while it runs, put back into an empty place."""
