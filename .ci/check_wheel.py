"""Check the contents of wheels: no sources, all declarations and stubs, a small size."""

import pathlib
import sys
import zipfile

MAX_BYTES = 1_700_000
PACKAGE = pathlib.Path(__file__).parents[1] / "dnncore"


def names_of(*patterns: str) -> set[str]:
    """Return the names in a wheel of the files of the source tree that match a pattern."""
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for pattern in patterns
        for path in PACKAGE.rglob(pattern)
    }


def faults_of(wheel: pathlib.Path, shipped: set[str]) -> list[str]:
    modules = {name.partition(".")[0] for name in shipped if name.endswith((".so", ".pyd"))}
    compiled = {name.removesuffix(".pyx") for name in names_of("*.pyx")}
    wanted = names_of("*.py", "*.pxd", "*.pyi", "py.typed")
    sources = {name for name in shipped if name.endswith((".pyx", ".c", ".h", ".cpp"))}
    faults = [f"missing: {name}" for name in sorted(wanted - shipped)]
    faults += [f"missing: compiled {name}" for name in sorted(compiled - modules)]
    faults += [f"source: {name}" for name in sorted(sources)]
    if wheel.stat().st_size > MAX_BYTES:
        faults.append(f"size: {wheel.stat().st_size} bytes, the limit is {MAX_BYTES}")
    return faults


for wheel in map(pathlib.Path, sys.argv[1:]):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    faults = faults_of(wheel, shipped)
    if faults:
        sys.exit("\n".join([wheel.name, *faults]))
    print(f"{wheel.name}: {wheel.stat().st_size} bytes, {len(shipped)} files")  # noqa: T201
