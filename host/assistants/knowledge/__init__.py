"""An assistant's knowledge: entries, their passages, search by words, and suggestions for new entries."""
