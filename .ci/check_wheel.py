"""Check the contents of a wheel: no sources, all declarations and stubs, a small size."""

import pathlib
import sys
import zipfile

MAX_BYTES = 1_700_000

wheel = pathlib.Path(sys.argv[1])
shipped = set(zipfile.ZipFile(wheel).namelist())
package = pathlib.Path(__file__).parents[1] / "dnncore"
wanted = {
    path.relative_to(package.parent).as_posix()
    for pattern in ("*.py", "*.pxd", "*.pyi", "py.typed")
    for path in package.rglob(pattern)
}
compiled = {
    path.relative_to(package.parent).with_suffix("").as_posix() for path in package.rglob("*.pyx")
}
faults = [f"missing: {name}" for name in sorted(wanted - shipped)]
faults += [
    f"missing: compiled {name}"
    for name in sorted(compiled)
    if not any(file.startswith(f"{name}.") and file.endswith(".so") for file in shipped)
]
faults += [
    f"source: {name}" for name in sorted(shipped) if name.endswith((".pyx", ".c", ".h", ".cpp"))
]
if wheel.stat().st_size > MAX_BYTES:
    faults.append(f"size: {wheel.stat().st_size} bytes, the limit is {MAX_BYTES}")
if faults:
    sys.exit("\n".join([wheel.name, *faults]))
print(f"{wheel.name}: {wheel.stat().st_size} bytes, {len(shipped)} files")  # noqa: T201
