"""SVG and HTML representations of networks, for notebooks and reports."""

from .drawing import DrawnNetwork, network_svg
from .figure import figure_html
from .sparkline import sparkline_svg
from .trace import trace_html

__all__ = [
    "figure_html",
    "network_facts",
    "network_html",
    "network_svg",
    "sparkline_svg",
    "trace_html",
]


def network_html(network: DrawnNetwork) -> str:
    """Return a network as HTML: its drawing and size."""
    return figure_html(network_svg(network), network_facts(network))


def network_facts(network: DrawnNetwork) -> dict[str, str]:
    """Return the size of a network, as names and values."""
    return {"Parameters": f"{network.n_parameters:,}", "Precision": str(network.dtype)}
