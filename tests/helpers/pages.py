"""A report as a page that can be asked what it says."""

import re
from html.parser import HTMLParser

from dnncore.report import write_report

VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Reads a page, and checks that it is well-formed and refers to nothing outside it."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.refers = [], [], [], []
        self.rows, self.text, self.titles = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)
        assert set(self.refers) <= set(self.ids)

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            assert name.startswith("xmlns") or "//" not in (value or ""), (tag, name, value)
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
                assert value.startswith(("#", "data:image/png;base64,")), value
                if value.startswith("#"):
                    self.refers.append(value[1:])
            if name == "title":
                self.titles.append(value)
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#")
                self.refers.append(target[1:])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            assert "url(" not in data and "@import" not in data
            return
        self.text.append(data)
        if self.open and self.open[-1] != "tr" and {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data

    def __contains__(self, text):
        return text in "".join(self.text)

    def row(self, name):
        """The first row of a table that has that name."""
        return next(row for row in self.rows if row[0] == name)


def report(tmp_path, *arguments, **options):
    path = tmp_path / "report.html"
    write_report(*arguments, path, **options)
    return Page(path.read_text(encoding="utf-8"))
