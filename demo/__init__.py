"""The main job, end to end: sandbox and host as separate programs, and a person who uses their pages."""
