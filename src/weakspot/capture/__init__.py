"""How interactions are captured, and what is taken out of them before they are written."""
