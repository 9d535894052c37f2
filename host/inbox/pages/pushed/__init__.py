"""Actions of pushed notifications."""
