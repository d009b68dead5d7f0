"""The words that the settings have by default: of wishes for an expert by language, and of each domain."""

from weakspot.vocabulary.domains import DEFAULT, DOMAINS
from weakspot.vocabulary.wishes import LANGUAGES

__all__ = ["DEFAULT", "DOMAINS", "LANGUAGES"]
