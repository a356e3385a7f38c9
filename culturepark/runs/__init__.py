"""A run: the plan, the work, what is on disk, and how it is shown."""
