"""What was saved, and what taught an answer."""
