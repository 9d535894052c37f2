"""The admin's overview page and the checklist of the Meta app on it."""
