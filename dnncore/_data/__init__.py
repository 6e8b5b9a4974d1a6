"""Rows and columns out of files and blocks, wherever they come from."""
