"""The proxy in front of the local model, which recognises consultations and keeps them."""
