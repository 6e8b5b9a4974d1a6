"""The compiled engine, and shared utilities: names, checks, memory, threads."""
