"""What notebooks and reports show of a network, made of plain values: SVG and HTML."""

from .drawing import DrawnNetwork, network_svg
from .figure import figure_html
from .sparkline import sparkline_svg

__all__ = ["figure_html", "network_facts", "network_html", "network_svg", "sparkline_svg"]


def network_html(network: DrawnNetwork) -> str:
    """A network as HTML: the drawing, and its size."""
    return figure_html(network_svg(network), network_facts(network))


def network_facts(network: DrawnNetwork) -> dict[str, str]:
    """The size of a network, as pairs of name and value."""
    return {"Parameters": f"{network.n_parameters:,}", "Precision": str(network.dtype)}
