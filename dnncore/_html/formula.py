"""Formulas in the notation of NumPy as MathML, which browsers and notebooks show by themselves."""

from __future__ import annotations

import ast
import re
from html import escape

_SYMBOLS = {"delta": "δ", "Phi": "Φ", "phi": "φ", "penalty": "penalty", "maximum": "max"}
_OPERATORS: dict[type[ast.operator | ast.cmpop], tuple[str, int]] = {
    ast.Add: ("+", 1),
    ast.Sub: ("−", 1),
    ast.Mult: ("⊙", 2),
    ast.MatMult: ("", 2),
    ast.Gt: (">", 0),
    ast.Lt: ("<", 0),
    ast.LtE: ("≤", 0),
}
# A derivative, a name and the number of a layer: z_1, dW_2, dx.
_QUANTITY = re.compile(r"(d?)([A-Za-z])(?:_(\w+))?")


def formula_mathml(formula: str) -> str:
    """Return a formula such as ``z_1 = a_0 @ W_1 + b_1`` as a ``<math>`` element.

    ``*`` is shown as the product of elements, ``/`` as a fraction, ``exp`` as a power, and ``sum``
    with the axis that it runs over. What has no notation of its own is shown as it is.
    """
    statement = ast.parse(formula).body[0]
    if isinstance(statement, ast.Assign):
        parts = [_written(statement.targets[0]), "<mo>=</mo>", _written(statement.value)]
    else:
        assert isinstance(statement, ast.Expr)
        parts = [_written(statement.value)]
    return f'<math displaystyle="true">{"".join(parts)}</math>'


def _written(node: ast.expr, level: int = 0) -> str:
    """Return an expression, in parentheses if it binds less than `level`."""
    match node:
        case ast.Constant(value):
            return f"<mn>{value!r}</mn>"
        case ast.Name(name):
            return _name(name)
        case ast.UnaryOp(ast.USub(), operand):
            return _grouped(f"<mo>−</mo>{_written(operand, 2)}", level > 2)
        case ast.BinOp(left, ast.Div(), right):
            return f"<mfrac>{_row(_written(left))}{_row(_written(right))}</mfrac>"
        case ast.BinOp(left, ast.Pow(), right):
            return f"<msup>{_row(_written(left, 3))}{_row(_written(right))}</msup>"
        case ast.BinOp(left, operator, right) | ast.Compare(left, [operator], [right]):
            symbol, own = _OPERATORS[type(operator)]
            if symbol == "⊙" and isinstance(left, ast.Constant):
                symbol = ""  # a number times an array
            sign = f"<mo>{escape(symbol)}</mo>" if symbol else "<mspace width='0.2em'/>"
            after = own + (own > 1 or symbol == "−")  # a - (b + c), a ⊙ (∑ b)
            return _grouped(_written(left, own) + sign + _written(right, after), own < level)
        case ast.Attribute(value, "T"):
            return f"<msup>{_row(_written(value, 3))}<mi>T</mi></msup>"
        case ast.Call(ast.Name(name), arguments, keywords):
            return _call(name, arguments, {str(k.arg): k.value for k in keywords}, level)
    return f"<mtext>{escape(ast.unparse(node))}</mtext>"


def _call(name: str, arguments: list[ast.expr], axis: dict[str, ast.expr], level: int) -> str:
    if name == "exp":
        return f"<msup><mi>e</mi>{_row(_written(arguments[0]))}</msup>"
    if name == "abs":
        return f"<mo>|</mo>{_written(arguments[0])}<mo>|</mo>"
    if name == "xlogy":
        x, y = arguments
        return f"{_written(x, 2)}<mo>⊙</mo><mi>log</mi>{_grouped(_written(y), True)}"
    if name == "sum":
        over = {"0": "<mi>rows</mi>", "1": "<mi>columns</mi>"}.get(
            ast.unparse(axis["axis"]) if "axis" in axis else "", ""
        )
        sign = f"<munder><mo>∑</mo>{over}</munder>" if over else "<mo>∑</mo>"
        return _grouped(f"{sign}{_written(arguments[0], 2)}", level > 2)
    if name == "where":
        condition, yes, no = map(_written, arguments)
        lines = ((yes, f"<mtext>if </mtext>{condition}"), (no, "<mtext>otherwise</mtext>"))
        rows = "".join(f"<mtr><mtd>{a}</mtd><mtd>{b}</mtd></mtr>" for a, b in lines)
        return f"<mrow><mo>{{</mo><mtable>{rows}</mtable></mrow>"
    inside = "<mo>,</mo>".join(map(_written, arguments))
    return f"{_name(name)}{_grouped(inside, True)}"


def _name(name: str) -> str:
    quantity = _QUANTITY.fullmatch(name)
    if quantity is None:
        return f"<mi>{escape(_SYMBOLS.get(name, name))}</mi>"
    derivative, letter, layer = quantity.groups()
    d = '<mi mathvariant="normal">d</mi>' if derivative else ""
    if layer is None:
        return f"{d}<mi>{letter}</mi>"
    return f"{d}<msub><mi>{letter}</mi><mn>{layer}</mn></msub>"


def _row(parts: str) -> str:
    return f"<mrow>{parts}</mrow>"


def _grouped(parts: str, grouped: bool) -> str:
    left, right = (f'<mo stretchy="false">{mark}</mo>' for mark in "()")
    return f"{left}{parts}{right}" if grouped else parts
