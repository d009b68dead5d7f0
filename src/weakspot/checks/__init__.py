"""What is checked of a workspace: whether it is sound, and whether its dataset is fit to train on."""
