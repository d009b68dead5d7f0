"""A person's agreement, which the settings of a workspace need before they count.

Reading order: ``recipients`` (which addresses are sent what), ``agreements`` (which of them a person agreed to),
``ownership`` (whose settings files count at all).
"""
