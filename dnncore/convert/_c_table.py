"""The C file of a model of tables: the encoding of a row, and the mean of networks."""

from __future__ import annotations

import numpy as np

from .._core.names import REGRESSION_OUTPUTS
from .._data.table_columns import BEYOND_CLIP, CLIP
from . import _c_text as text
from ._c_source import CSource
from ._table_description import TableDescription

ENCODE_NUMBERS = f"""
    /* (x - median) / scale, smoothly clipped; 0 where missing */
    static void NAME_encode_numbers(const double *x, REAL *a)
    {{
        int i;
        for (i = 0; i < (int)(sizeof NAME_numbers / sizeof *NAME_numbers); i++) {{
            const double v = x[NAME_numbers[i]];
            double z = 0;
            if (v == v && NAME_half_scale[i] > 0) {{
                z = (v * 0.5 - NAME_half_median[i]) / NAME_half_scale[i];
                z = z < -{BEYOND_CLIP} ? -{BEYOND_CLIP} : z > {BEYOND_CLIP} ? {BEYOND_CLIP} : z;
                z = z / sqrt(1.0 + (z / {CLIP}) * (z / {CLIP}));
            }}
            a[i] = (REAL)z;
        }}
    }}
    """

INDICATE = """
    /* 1 where missing */
    static void NAME_indicate(const double *x, REAL *a)
    {
        int i;
        for (i = 0; i < (int)(sizeof NAME_indicated / sizeof *NAME_indicated); i++) {
            a[i] = x[NAME_indicated[i]] != x[NAME_indicated[i]];
        }
    }
    """

ENCODE_CATEGORIES = """
    /* 1 for the category of each column */
    static void NAME_encode_categories(const double *x, REAL *a)
    {
        int i;
        for (i = 0; i < (int)(sizeof NAME_feature_code / sizeof *NAME_feature_code); i++) {
            const int column = NAME_feature_column[i], n_values = NAME_n_values[column];
            const double v = x[NAME_categories[column]];
            int code = n_values;
            if (v != v || v == -1) code = n_values + 1;
            else if (v >= 0 && v < n_values && v == (int)v) code = (int)v;
            a[i] = code == NAME_feature_code[i];
        }
    }
    """

ADD = """
    static void NAME_add(int n, const REAL *z, REAL *sum)
    {
        int j;
        for (j = 0; j < n; j++) sum[j] += z[j];
    }
    """

UNITS = """
    /* Convert standardised predictions to the units of the targets, within their range. */
    static void NAME_to_units(double *y)
    {
        int j;
        for (j = 0; j < MACRO_N_OUTPUTS; j++) {
            y[j] = y[j] * NAME_target_scale[j] + NAME_target_mean[j];
            if (y[j] < NAME_target_low[j]) y[j] = NAME_target_low[j];
            if (y[j] > NAME_target_high[j]) y[j] = NAME_target_high[j];
        }
    }
    """

MEAN = """
    static void NAME_mean(const double *x, double *out)
    {{
        REAL a[{n_features}], total[MACRO_N_OUTPUTS]{z};
        int j;
        {lines}
        for (j = 0; j < MACRO_N_OUTPUTS; j++) out[j] = total[j] / (REAL){n_networks};{units}
    }}
    """

LABEL = """
    MACRO_API LABEL NAME_label(int index)
    {
        return NAME_labels[index];
    }
    """

PREDICT_PROBA = """
    MACRO_API void NAME_predict_proba(const double *x, double *p)
    {
        NAME_mean(x, p);
    }
    """

DEFINITIONS = {
    "softmax": [
        LABEL,
        """
        MACRO_API int NAME_predict(const double *x)
        {
            double p[MACRO_N_OUTPUTS];
            int j, most = 0;
            NAME_mean(x, p);
            for (j = 1; j < MACRO_N_OUTPUTS; j++) {
                if (p[j] > p[most]) most = j;
            }
            return most;
        }
        """,
        PREDICT_PROBA,
    ],
    "logistic": [
        LABEL,
        """
        MACRO_API void NAME_predict(const double *x, int *label)
        {
            double p[MACRO_N_OUTPUTS];
            int j;
            NAME_mean(x, p);
            for (j = 0; j < MACRO_N_OUTPUTS; j++) label[j] = p[j] > 0.5;
        }
        """,
        PREDICT_PROBA,
    ],
    "identity": [
        """
        MACRO_API void NAME_predict(const double *x, double *y)
        {
            NAME_mean(x, y);
        }
        """
    ],
}
DEFINITIONS |= dict.fromkeys(REGRESSION_OUTPUTS, DEFINITIONS["identity"])


class TableCSource(CSource):
    """The C file of a model of tables."""

    def __init__(self, name: str, table: TableDescription) -> None:
        self._table = table
        super().__init__(name, table.networks[0])

    def _write(self, model: object) -> int:
        table = self._table
        statements = self._write_encoding()
        members, stack = [], 0
        for number, network in enumerate(table.networks, start=1):
            stack = max(stack, self.write_forward(network, f"forward_{number}"))
            out = "total" if number == 1 else "z"
            members.append(f"{self.name}_forward_{number}(a, {out});")
            if table.output != "identity":
                members.append(f"{self.activation(table.output)}({table.n_outputs}, {out});")
            if number > 1:
                members.append(f"{self.function('add', ADD)}({table.n_outputs}, z, total);")
        stack += table.encoding.n_features + 2 * table.n_outputs
        if table.classes is not None:
            self.write_labels(table.classes)
        units = ""
        if table.units is not None:
            for i, name in enumerate(("mean", "scale", "low", "high")):
                self.table(f"target_{name}", table.units[:, i])
            units = f"\n    {self.function('to_units', UNITS)}(out);"
        # Formatted only after the template is filled in: names in the lines may look like its own.
        self._functions["mean"] = self.fill_in(MEAN).format(
            n_features=table.encoding.n_features,
            z=f", z[{table.n_outputs}]" if len(table.networks) > 1 else "",
            lines="\n    ".join([*statements, *members]),
            n_networks=len(table.networks),
            units=units,
        )
        outputs = (
            0 if table.output in REGRESSION_OUTPUTS else table.n_outputs * table.dtype.itemsize
        )
        return stack * self.dtype.itemsize + outputs

    def _write_encoding(self) -> list[str]:
        """Write tables and functions of the encoding; return the calls."""
        numbers, categories = self._table.numbers, self._table.category_features
        calls, first = [], 0
        if numbers.columns.size:
            self.integers("numbers", numbers.columns)
            self.table("half_median", numbers.half_median)
            self.table("half_scale", numbers.half_scale)
            calls.append(f"{self.function('encode_numbers', ENCODE_NUMBERS)}(x, a);")
            first += numbers.columns.size
        if numbers.indicated.size:
            self.integers("indicated", numbers.columns[numbers.indicated])
            calls.append(f"{self.function('indicate', INDICATE)}(x, a + {first});")
            first += numbers.indicated.size
        if categories.columns.size:
            self.integers("categories", categories.columns)
            for name in ("n_values", "feature_column", "feature_code"):
                self.integers(name, getattr(categories, name))
            function = self.function("encode_categories", ENCODE_CATEGORIES)
            calls.append(f"{function}(x, a + {first});")
        return calls

    def title(self) -> str:
        return str(self._table)

    def n_features(self) -> int:
        return self._table.n_features

    def declarations(self) -> str:
        return self.fill_in(text.DECLARATIONS[self._table.output], np.dtype(np.float64))

    def definitions(self) -> str:
        return "\n\n".join(map(self.fill_in, DEFINITIONS[self._table.output]))

    def features(self) -> str:
        lines = [
            "",
            "Columns of a row (NaN where missing; -1 also for a category; any other",
            "index",
        ]
        lines[-1] += " than the given ones is an unknown category):"
        names = self._table.feature_names or ("",) * self._table.n_features
        for index, (name, values) in enumerate(zip(names, self._table.categories, strict=True)):
            lines.append(f"  {index} {text.in_comment(name) if name else ''}".rstrip())
            for code, value in enumerate(values or ()):
                lines.append(f"      {code} = {text.in_comment(value)}")
        return "\n".join([*(f" * {line}".rstrip() for line in lines), ""])
