"""A grid of recipes → a folder of runs, several trained at a time."""
