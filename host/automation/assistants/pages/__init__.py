"""The pages of assistants, and of what they suggest."""
