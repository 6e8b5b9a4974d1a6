"""csrc/ without Python: the same bits from every instruction set, compiler and processor.

csrc/digests.c runs every operation and prints a digest of what it returns, one line for each
instruction set, operation and type.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
SOURCES = [*sorted(CSRC.rglob("*.c")), Path(__file__).parent / "csrc" / "digests.c"]

# As in setup.py.
C_FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
RELEASE = ["-O3", "-DNDEBUG", "-Wall", "-Wextra"]
SANITIZED = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
RACES = ["-O1", "-g1", "-fsanitize=thread"]

CC = shlex.split(os.environ.get("CC", "cc"))
ARM_CC = "aarch64-linux-gnu-gcc"
WINDOWS_CC = "x86_64-w64-mingw32-gcc"
WINDOWS_FLAGS = ["-Wa,-muse-unaligned-vector-move", "-static"]

# {(operation, type): {instruction set: digest}}
Digests = dict[tuple[str, str], dict[str, str]]


def run(command: Iterable[str | Path]) -> str:
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return done.stdout


def digests(
    folder: Path,
    cc: list[str],
    flags: list[str],
    emulator: Iterable[str] = (),
    operations: Iterable[str] = (),
) -> Digests:
    """Of the program compiled so; of all operations, or of those whose names begin so."""
    if shutil.which(cc[0]) is None:
        pytest.skip(f"no C compiler {cc[0]}")

    def compiled(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        run([*cc, *C_FLAGS, *flags, f"-I{CSRC}", "-c", source, "-o", target])
        return target

    program = folder / "digests.exe"  # whose suffix Windows wants
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, SOURCES))
    run([*cc, *flags, *objects, "-o", program, "-pthread", "-lm"])
    found: Digests = {}
    for line in run([*emulator, program, *operations]).splitlines():
        isa, operation, type_, digest = line.split()
        found.setdefault((operation, type_), {})[isa] = digest
    return found


def isas(found: Digests) -> set[str]:
    return {isa for digest_of in found.values() for isa in digest_of}


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Digests:
    return digests(tmp_path_factory.mktemp("native"), CC, RELEASE)


def assert_same(found: Digests, expected: Digests) -> None:
    """Whatever the instruction sets of the two are."""
    assert found.keys() == expected.keys()
    differ = {
        of: (found[of], expected[of])
        for of in found
        if len({*found[of].values(), *expected[of].values()}) > 1
    }
    assert not differ


def test_instruction_sets_return_the_same_bits(native: Digests) -> None:
    assert "generic" in isas(native)
    assert all(digest_of.keys() == isas(native) for digest_of in native.values())
    assert_same(native, native)


def test_sanitizers_find_nothing(tmp_path: Path, native: Digests) -> None:
    assert_same(digests(tmp_path, CC, SANITIZED), native)


def test_the_race_detector_finds_nothing(tmp_path: Path, native: Digests) -> None:
    """In teams of threads, and in the training of a network by three threads."""
    # At fixed addresses, since those of some kernels are not among the ones that GCC's can use.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    found = digests(tmp_path, CC, RACES, fixed, operations=["teams", "train"])
    assert len(found) == 16
    assert_same(found, {of: native[of] for of in found})


def test_clang_returns_the_same_bits(tmp_path: Path, native: Digests) -> None:
    found = digests(tmp_path, ["clang"], RELEASE)
    assert isas(found) == isas(native)
    assert_same(found, native)


def test_arm_returns_the_same_bits(tmp_path: Path, native: Digests) -> None:
    qemu = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if qemu is None or shutil.which(ARM_CC) is None:
        pytest.skip(
            "needs the Debian packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user"
        )
    found = digests(tmp_path, [ARM_CC], [*RELEASE, "-static"], [qemu])
    assert isas(found) == {"neon", "generic"}
    assert_same(found, native)


def test_windows_returns_the_same_bits(tmp_path: Path, native: Digests) -> None:
    """And its threads form the same teams."""
    wine = shutil.which("wine64") or shutil.which("wine")
    if wine is None or shutil.which(WINDOWS_CC) is None:
        pytest.skip("needs the Debian packages gcc-mingw-w64-x86-64 and wine64")
    found = digests(tmp_path, [WINDOWS_CC], [*RELEASE, *WINDOWS_FLAGS], [wine])
    assert isas(found) == isas(native)
    assert_same(found, native)
