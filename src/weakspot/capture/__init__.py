"""How consultations are recognised, cleaned and turned into interactions."""
