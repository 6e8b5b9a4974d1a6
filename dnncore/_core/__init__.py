"""The compiled engine, and what all rooms share: names, checks, memory, threads."""
