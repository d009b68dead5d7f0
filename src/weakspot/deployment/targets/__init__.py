"""Targets of deployment: one module for each place where an adapter can be put into service."""
