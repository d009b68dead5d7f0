"""What other programs store of their conversations: one module a format, read into one kind of tree."""
