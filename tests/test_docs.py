"""Run every code block of the documentation, in the order of its page, and every example.

Each page has its own namespace and its own working folder. The language of a block determines
what happens to it:

- `python`: executed, with warnings as errors;
- `sh`: passed to bash, without the commands that install or test packages; a block that ends in
  ` &` keeps running until the end of the page, and the next block waits for its first line;
- `output`: compared with the output of the block before it; `...` matches anything;
- any language, if the block starts with a comment that names a file: written to that file;
- `literalinclude` of a file of `examples`: copied;
- other `cython` blocks: compiled;
- any other language: ignored.

A page that contains `<!-- needs MODULE -->` is skipped if that module is not installed, and with
`<!-- needs MODULE < YEAR.MONTH -->` if it is as new.
With DNNCORE_UPDATE_DOCS=1 in the environment, `output` blocks that are wrong, or contain only
`...`, are rewritten.
"""

import codeop
import doctest
import importlib
import logging
import os
import pathlib
import pkgutil
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import warnings

import numpy as np
import pytest

import dnncore

pytest.importorskip("sklearn")
MarkdownIt = pytest.importorskip("markdown_it").MarkdownIt

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "examples"} & set(page.parts)]
KERNELS = pathlib.Path(dnncore.__file__).with_name("kernels.pyi")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FILE_NAME = re.compile(r"(?:#|//|/\*) ([\w-]+\.\w+)(?: \*/)?\n")
EXAMPLE = re.compile(r"\{literalinclude\} (.*/examples/.+)")
INSTALLING = ("pip install ", "pytest", "sphinx-build", "python3 -m venv", ". .venv/", "git clone")


def name_of(path):
    return str(path.relative_to(ROOT))


def blocks_of(page):
    """The language, the text and the line number of every code block."""
    tokens = MarkdownIt().parse(page.read_text())
    blocks = [(t.info.strip(), t.content, t.map[0] + 1) for t in tokens if t.type == "fence"]
    return [b for b in blocks if b[0] and (b[0][0] != "{" or EXAMPLE.fullmatch(b[0]))]


class Page:
    """The state of a page while its blocks are run."""

    def __init__(self, page, folder, capture):
        self.page, self.folder, self.capture = page, folder, capture
        self.namespace = {"__name__": "__main__"}
        self.printed = None
        self.running = []
        self.corrections = []
        # Those of the pages' servers may be taken.
        self.ports = {port: str(free_port()) for port in ("8000", "8786")}
        scripts = folder / ".scripts"
        scripts.mkdir()
        for name, start in (("dnncore", "-m dnncore"), ("dask", "-m dask"), ("python", "")):
            script = scripts / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {start} "$@"\n')
            script.chmod(0o755)
        path = [str(pathlib.Path(dnncore.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "CFLAGS": "-O0",  # compiled to see that it works
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
        }

    def run(self, language, text, line):
        for port, free in self.ports.items():
            text = text.replace(port, free)
        example, file = EXAMPLE.fullmatch(language), FILE_NAME.match(text)
        if example:
            shutil.copy(self.page.parent / example[1], self.folder)
        elif file:
            (self.folder / file[1]).write_text(text)
        elif language == "python":
            self.python(text, line)
        elif language == "sh":
            self.shell(text)
        elif language == "cython":
            (self.folder / f"block{line}.pyx").write_text(text)
            self.shell(f"python -m Cython.Build.Cythonize -i -q block{line}.pyx")
        elif language == "output":
            self.compare(text, line)

    def python(self, text, line):
        code = compile("\n" * line + text, str(self.page), "exec")
        self.capture.readouterr()
        exec(code, self.namespace)
        self.printed = self.capture.readouterr().out

    def shell(self, text):
        text = "\n".join(" && ".join(wanted(line.split(" && "))) for line in text.splitlines())
        if text.rstrip().endswith(" &"):
            self.start(text.rstrip().removesuffix("&"))
            return
        done = subprocess.run(
            ["bash", "-eu", "-c", text],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout

    def start(self, text):
        process = subprocess.Popen(
            f"exec {text}", shell=True, cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.running.append(process)
        self.printed = process.stdout.readline()
        assert self.printed, f"{text} has ended"

    def compare(self, expected, line):
        checker, options = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if expected != "...\n" and checker.check_output(expected, self.printed, options):
            return
        if os.environ.get("DNNCORE_UPDATE_DOCS", "0") not in ("", "0"):
            printed = [text.rstrip() for text in self.printed.splitlines()]
            self.corrections.append((line, line + expected.count("\n"), printed))
        else:
            example = doctest.Example("", expected)
            pytest.fail(checker.output_difference(example, self.printed, options))

    def end(self):
        for process in reversed(self.running):  # the servers of others last
            process.send_signal(signal.SIGINT)  # as Ctrl-C
            process.wait(timeout=30)
            process.stdout.close()
        lines = self.page.read_text().splitlines()
        for first, last, printed in reversed(self.corrections):
            lines[first:last] = printed
        if self.corrections:
            self.page.write_text("\n".join(lines) + "\n")


def wanted(commands):
    return [command for command in commands if not command.startswith(INSTALLING)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def settings():
    """What a page sets for the whole process is put back after it."""
    root, own = logging.getLogger(), logging.getLogger("dnncore")
    handlers, level, path = list(root.handlers), own.level, list(sys.path)
    with np.printoptions(), warnings.catch_warnings():
        yield
    sys.path[:] = path  # worker processes inherit it, and would import the source tree from "."
    sys.path_importer_cache.pop(".", None)  # it remains bound to the folder of this page
    root.handlers[:] = handlers
    own.setLevel(level)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=name_of)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch, capfd, settings):
    needs = re.findall(r"^<!-- needs (\S+)(?: < (\S+))? -->", page.read_text(), re.MULTILINE)
    for module, version in needs:
        found = pytest.importorskip(module)
        if version and release(found.__version__) >= release(version):
            pytest.skip(f"{module} {found.__version__} is not older than {version}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    write_tables(tmp_path)
    state = Page(page, tmp_path, capfd)
    try:
        for language, text, line in blocks_of(page):
            try:
                state.run(language, text, line)
            except BaseException as error:
                error.add_note(f"in the block at {name_of(page)}:{line}")
                raise
    finally:
        state.end()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=name_of)
def test_the_blocks_of_a_page_can_be_typed_at_the_prompt(page):
    """There, an empty line ends a body, and nothing else does."""
    for language, text, line in blocks_of(page):
        typed = ""
        for i, row in enumerate(text.split("\n") if language == "python" else (), line + 1):
            typed += f"{row}\n"
            name = f"{name_of(page)}:{i}"
            if codeop.compile_command(typed.removesuffix("\n"), name, "single") is not None:
                typed = ""


def release(version):
    """The first two numbers of a version."""
    return tuple(map(int, version.split(".")[:2]))


def write_tables(folder):
    """The tables that README.md speaks of."""
    from sklearn.datasets import load_iris

    iris = load_iris(as_frame=True)
    species = iris.target_names[iris.target]
    flowers = iris.data.assign(species=species)
    flowers.to_csv(folder / "flowers.csv", index=False)
    flowers[::7].to_csv(folder / "labelled.csv", index=False)
    iris.data[::30].to_csv(folder / "new.csv", index=False)


@pytest.mark.parametrize("script", EXAMPLES, ids=name_of)
def test_an_example_draws(script, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for module in re.findall(r"^(?:from|import) (gymnasium|river)\b", script.read_text(), re.M):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyplot, "show", lambda: None)
    pyplot.switch_backend("Agg")
    pyplot.close("all")
    runpy.run_path(str(script), run_name="__main__")
    assert pyplot.get_fignums()
    pyplot.close("all")


def test_the_command_line_is_described():
    usage = subprocess.run(
        [sys.executable, "-m", "dnncore", "--help"], capture_output=True, text=True,
        cwd=ROOT / "docs", env={**os.environ, "NO_COLOR": "1"},
    ).stdout  # fmt: skip
    commands = re.findall(r"^    (\w+) ", usage, re.MULTILINE)
    assert "train" in commands
    page = (ROOT / "docs" / "reference" / "command_line.md").read_text()
    assert re.findall(r"{command-help} (\w+)", page) == commands


def described_names():
    """What the API pages describe, and the modules that they describe completely."""
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    modules = re.findall(r"automodule:: dnncore\.(\w+)\n   :members:\n", pages)
    return set(re.findall(r"auto\w+:: dnncore\.([\w.]+)", pages)), set(modules)


def test_public_names_are_described():
    assert set(dnncore.__all__) - {"__version__"} <= described_names()[0]


OPTIONAL = {"dask": "distributed", "river": "river"}  # what a module requires
PUBLIC_MODULES = {name for _, name, _ in pkgutil.iter_modules(dnncore.__path__)} - {"cli"}


@pytest.mark.parametrize("name", sorted(n for n in PUBLIC_MODULES if not n.startswith("_")))
def test_public_names_of_a_module_are_described(name):
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    module = importlib.import_module(f"dnncore.{name}")
    described, complete = described_names()
    names = set(getattr(module, "__all__", ())) if name not in complete else set()
    assert names <= {described_name.rpartition(".")[2] for described_name in described}


def test_every_kernel_is_described():
    page = (ROOT / "docs" / "reference" / "kernels.md").read_text()
    listed = set(re.search(r":members: ([\w,\s]+?)\n```", page)[1].replace(",", " ").split())
    assert listed == set(re.findall(r"^def (\w+)", KERNELS.read_text(), re.MULTILINE))


def excerpts():
    """Every `literalinclude`: the page, the file it shows, and the texts that bound the excerpt."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```\{literalinclude\} (.+?)```", page.read_text(), re.DOTALL):
            file, *options = block.splitlines()
            bounds = [o.split('"')[1] for o in options if re.match(r":(start|end)-", o)]
            found.append((page, page.parent / file.strip(), bounds))
    return found


def test_excerpts_are_where_the_pages_look_for_them():
    assert len(excerpts()) > 5
    missing = [
        (name_of(page), bound)
        for page, file, bounds in excerpts()
        for bound in bounds
        if bound not in file.read_text()
    ]
    assert not missing


@pytest.fixture
def extensions(monkeypatch):
    """The folder of the extensions of Sphinx is where modules are looked for."""
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")


def test_objects_without_a_version_belong_to_the_first_release(extensions):
    from api_pages import FIRST_RELEASE, add_version

    def shown(*lines, what="function"):
        lines = list(lines)
        add_version(None, what, "name", None, None, lines)
        return lines

    version = ["", f".. versionadded:: {FIRST_RELEASE}", ""]
    section = ["Parameters", "----------", "x : int"]
    assert shown("Summary::", "", "    x", "", *section)[4:] == [*version, *section]
    assert shown("Summary.") == ["Summary.", *version]
    later = ["Summary.", "", ".. versionadded:: 0.9"]
    assert shown(*later) == later
    assert shown("Summary.", what="method") == ["Summary."]


def test_a_page_of_results_includes_all_of_a_machine(extensions):
    from results import RESULTS, page

    machine = "amd-epyc-zen4-2-cpus"
    shown = page(machine, [f"{machine}-engines.md", f"{machine}.md"])
    included = re.findall(r"benchmarks/results/(.+)\n:heading-offset: (\d)", shown)
    assert included == [(f"{machine}.md", "0"), (f"{machine}-engines.md", "1")]
    assert all((RESULTS / name).exists() for name, _ in included)
    assert page("a-1-cpus", ["a-1-cpus-calls.md"]).startswith("# a 1 cpus\n")
