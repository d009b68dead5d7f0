"""Secrets and personal data are found in texts and replaced."""
