"""weakspot: the ZDDC training data pipeline."""
