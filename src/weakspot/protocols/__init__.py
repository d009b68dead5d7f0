"""The two chat protocols that clients and teachers speak, and the one form that answers have in between."""
