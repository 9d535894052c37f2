"""Drafts of people, kept on the desk: they follow a person to every tab and device."""
