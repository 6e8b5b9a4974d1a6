"""The mathematics of networks, layer by layer."""
