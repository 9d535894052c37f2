"""What assistants know: entries, read, cut into passages and found by their words; what they could learn."""
