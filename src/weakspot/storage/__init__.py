"""What the dataset is made of: how records are kept, compared and split."""
