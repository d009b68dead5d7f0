"""zddc: Zero Day Document Control."""
