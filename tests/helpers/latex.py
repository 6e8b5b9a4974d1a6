"""Formulas of a trace in LaTeX, as docs/explanation/derivation.md has them."""

import ast
import re

OPERATORS = {
    ast.Add: ("+", 1), ast.Sub: ("-", 1), ast.Mult: (r"\odot", 2), ast.MatMult: (r"\,", 2),
    ast.Gt: (">", 0),
}  # fmt: skip
QUANTITY = re.compile(r"(d?)([A-Za-z])(?:_(\w+))?")


def latex(formula):
    target, _, right = formula.partition(" = ")
    parts = [ast.parse(part, mode="eval").body for part in (target, right) if part]
    return " = ".join(map(written, parts))


def written(node, level=0):
    match node:
        case ast.Constant(value):
            return str(value)
        case ast.Name(name):
            return name_of(name)
        case ast.UnaryOp(ast.USub(), operand):
            return grouped(f"-{written(operand, 2)}", level > 2)
        case ast.BinOp(left, ast.Div(), right):
            return rf"\frac{{{written(left)}}}{{{written(right)}}}"
        case ast.BinOp(left, operator, right):
            symbol, own = OPERATORS[type(operator)]
            text = f"{written(left, own)} {symbol} {written(right, own + (symbol != '+'))}"
            return grouped(text, own < level)
        case ast.Attribute(value, "T"):
            return f"{written(value, 3)}^T"
        case ast.Call(ast.Name("exp"), [argument]):
            return f"e^{{{written(argument)}}}"
        case ast.Call(ast.Name("log"), [argument]):
            return rf"\log {written(argument)}"
        case ast.Call(ast.Name("sum"), [argument, *_], keywords):
            axis = {k.arg: k.value.value for k in keywords}.get("axis")
            over = {0: r"_{\mathrm{rows}}", 1: r"_{\mathrm{columns}}", None: ""}[axis]
            return grouped(rf"\sum{over} {written(argument, 2)}", level > 2)
    raise NotImplementedError(ast.dump(node))


def name_of(name):
    quantity = QUANTITY.fullmatch(name)
    if quantity is None:
        return rf"\mathrm{{{name}}}"
    derivative, letter, layer = quantity.groups()
    return (r"\mathrm{d}" if derivative else "") + letter + (f"_{layer}" if layer else "")


def grouped(text, parentheses):
    return rf"\left({text}\right)" if parentheses else text
