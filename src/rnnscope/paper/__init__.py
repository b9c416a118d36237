"""The reproduction: what the paper published, and what this project finds, side by side."""
