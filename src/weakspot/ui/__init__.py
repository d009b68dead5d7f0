"""The local web page: interactions to review, and pictures of what came of them."""
