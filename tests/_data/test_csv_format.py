"""The format of a CSV file, found out from its beginning."""

import pytest

from dnncore._data.csv_format import DEFAULT, CsvFormat, detect


def found(text, encoding="utf-8", **given):
    head = text.encode(encoding)
    return detect(head, is_whole=True, given=CsvFormat(**given))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a\n1\n", {}),
        ("a,b\n1,2\n", {}),
        ("a,b\n1;2,3\n4;5,6\n", {}),  # both would do: the usual one
        ("a,b\n1\n", {}),
        ("a b\n1 2\n", {}),
        ("a;b\n1;2\n", {"delimiter": ";"}),
        ("a\tb\n1\t2\n", {"delimiter": "\t"}),
        ("a|b|c\n1|2|x;y\n", {"delimiter": "|"}),
        ('a;b\n"1;5,\n2";2\n', {"delimiter": ";"}),
        ("a;b\n1,5;2\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1,5;2,25\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1.234,5;2\n", {"delimiter": ";", "decimal": ",", "thousands": "."}),
        ("a;b\n-1,5e3;01.02.2020\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1,234;2\n", {"delimiter": ";"}),  # 1.234 or 1234
        ("a;b\n0,234;2\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1,5;2.5\n", {"delimiter": ";"}),  # a contradiction
        ('a,b\n"1,234.5",2\n', {"thousands": ","}),
        ('a,b\n"$1,234,567",2\n', {"thousands": ","}),
        ('a,b\n"1,234",2.5\n', {}),
        ('a,b\n"x, y",2.5\n', {}),
    ],
)
def test_delimiters_and_separators(text, expected):
    assert found(text) == DEFAULT._replace(**expected)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(encoding):
    text = "größe;b\n1;2\n"
    expected = encoding.removesuffix("-sig")
    assert found(text, encoding) == DEFAULT._replace(delimiter=";", encoding=expected)
    given = CsvFormat(encoding=encoding)
    assert detect(text.encode(encoding), is_whole=True, given=given).encoding == encoding


def test_any_bytes_are_latin_1():
    assert detect(b"a\n\x81\n", is_whole=True, given=CsvFormat()).encoding == "latin-1"


def test_a_beginning_that_is_cut_off():
    head = "a;b\n1;2\n3;é".encode()
    for end in (1, 2, 3):
        expected = DEFAULT._replace(delimiter=";")
        assert detect(head[:-end], is_whole=False, given=CsvFormat()) == expected


def test_what_is_given_is_kept():
    assert found("a;b\n1,5;2\n", delimiter=",") == DEFAULT
    assert found("a;b\n1,5;2\n", decimal=".") == DEFAULT._replace(delimiter=";")
    assert found("a;b\n1,234;2\n", decimal=",") == DEFAULT._replace(delimiter=";", decimal=",")
    assert found("a;b\n1,234;2\n", thousands=",").thousands == ","
