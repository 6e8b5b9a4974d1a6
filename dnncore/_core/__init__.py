"""Compiled engine, and what every room shares: names, checks, memory, threads."""
