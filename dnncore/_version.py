"""The version, from the metadata of the installed distribution."""

from importlib.metadata import version

__version__ = version("dnncore")
