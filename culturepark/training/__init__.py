"""From samples to models: trainer hooks, and the four that are built in."""
