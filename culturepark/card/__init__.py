"""A dataset's card: what is in it, how good it is, and what one may do with it."""
