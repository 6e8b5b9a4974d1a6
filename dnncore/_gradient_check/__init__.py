"""Comparison of gradients with central differences."""
