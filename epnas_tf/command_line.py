"""The command line: flags of settings, presets and help; all that the library knows of absl."""

from __future__ import annotations

import dataclasses
import difflib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from epnas_tf import config as config_lib
from epnas_tf import flagfiles, terminal
from epnas_tf.config import SearchConfig
from epnas_tf.fields import (
    COPIED,
    OF_ONE_RUN,
    ConfigError,
    Settings,
    flag,
    read,
    settings_in,
    text_of,
)
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir


def parse(argv: Sequence[str]) -> SearchConfig:
    """Returns the configuration of a command line; argv[0] is the command's own name.

    `--preset=NAME` and `--flagfile=PATH` read flags from files. Flags of the command line override
    those of a preset wherever it stands; otherwise the last value wins.

    Raises:
      ConfigError: for an unknown flag, a value that is not allowed or anything left over.
      SystemExit: after printing the help for --help.
    """
    command = _search()
    return SearchConfig(**_values(_flags_of(argv, command), command.config))


def parse_to_go_on(argv: Sequence[str]) -> SearchConfig:
    """Returns the configuration of a command line that may go on with the search in its work_dir.

    What no flag says, in a preset or flagfile neither, is as that search has it, but for what is
    said for one run (such as `max_trials`) and what the search has read once and keeps a copy of.
    Where there is none, this is `parse`.

    Raises:
      ConfigError: as `parse`, or what is said contradicts that search.
      SystemExit: after printing the help for --help.
    """
    command = _search()
    flag_values = _flags_of(argv, command)
    values = _values(flag_values, command.config)
    _check_files(values)
    stored = None
    if values["resume"] and not values["overwrite"]:
        stored = _readable(WorkDir(values["work_dir"]).flags)
    if stored is None:
        return SearchConfig(**values)
    for field in settings_in(stored):
        kept = field.metadata["resume"] not in (OF_ONE_RUN, COPIED)  # a copy needs no path
        if kept and not flag_values[field.name].present:
            values[field.name] = getattr(stored, field.name)
    try:
        return SearchConfig(**values)
    except ConfigError:
        config_lib.refuse_other(stored, values)  # what was said does not go with what is stored
        raise


def _check_files(values: Mapping[str, Any]) -> None:
    """Raises ConfigError where work_dir cannot be one, before anything looks into it."""
    SearchConfig(**{name: values[name] for name in ("work_dir", "resume", "overwrite")})


@dataclasses.dataclass(frozen=True)
class Command:
    """A command whose flags are the fields of its configuration.

    Attributes:
      usage: how it is called.
      config: the class of its configuration, composed of the rooms' settings.
      files: title and names of the files that it offers: flagfiles to read, formats to write.
      words: what the help explains first.
      presets: whether --preset=NAME begins with one of the files.
      left_open: settings that are not as their defaults say where no flag says them, by kind, and
        whose they are then.
    """

    usage: str
    config: type[Settings]
    files: tuple[str, Sequence[str]]
    words: str
    presets: bool = False
    left_open: Mapping[type[Settings], str] = dataclasses.field(default_factory=dict)

    def default(self, field: dataclasses.Field[Any]) -> str:
        """Returns what stands for a flag that is not given."""
        for kind, whose in self.left_open.items():
            if field.name in {own.name for own in settings_in(kind)}:
                return f"--{field.name} ({whose})"
        return flag(field.name, field.default)


def _search() -> Command:
    usage = "epnas_search [--preset=NAME] [--flagfile=PATH] [--name=value ...]"
    files = ("Presets", flagfiles.presets())
    return Command(usage, SearchConfig, files, _WORDS, presets=True)


def said(argv: Sequence[str], command: Command) -> dict[str, Any]:
    """Returns by name what the flags of a command line say; argv[0] is the command's own name.

    Raises:
      ConfigError: as `parse`.
      SystemExit: after printing the help for --help.
    """
    flag_values = _flags_of(argv, command)
    values = _values(flag_values, command.config)
    return {name: value for name, value in values.items() if flag_values[name].present}


def _define_flags(flag_values: Any, config: type[Settings]) -> None:
    """Defines a flag for each setting in an absl FlagValues.

    Every flag but a truth value holds text: `_values` reads and checks all in one place.
    """
    from absl import flags

    for field in settings_in(config):
        is_bool = field.type == "bool"  # --overwrite and --noresume stand without a value
        define = flags.DEFINE_boolean if is_bool else flags.DEFINE_string
        default = field.default if is_bool else text_of(field.default)
        define(field.name, default, field.metadata["help"], flag_values=flag_values)


def _values(flag_values: Any, config: type[Settings]) -> dict[str, Any]:
    return {
        field.name: read(field, text_of(flag_values[field.name].value))
        for field in settings_in(config)
    }


def _readable(path: str) -> SearchConfig | None:
    """Returns the configuration in a file; None without one that can be read (`search` says so)."""
    refusals: tuple[type[Exception], ...] = (ValueError, *storage.failures(path))
    try:
        return config_lib.from_flags_text(storage.read_text(path)) if storage.exists(path) else None
    except refusals:
        return None


def _flags_of(argv: Sequence[str], command: Command) -> Any:
    """Returns the absl FlagValues of a command line, its preset read; see `parse`."""
    from absl import flags

    for spellings, text in (
        (terminal.FULL_HELP, _full_help),
        (terminal.HELP, _help),
    ):
        if not spellings.isdisjoint(argv[1:]):
            terminal.say("\n".join(text(command)))
            raise SystemExit(0)

    def parsed(before: Sequence[str]) -> Any:
        # Flags of our own, not absl's global ones: libraries add theirs to those.
        flag_values = flags.FlagValues()
        if command.presets:
            flags.DEFINE_string("preset", "", "shipped flagfile to begin with", flag_values)
        _define_flags(flag_values, command.config)
        leftovers = flag_values(["", *before, *argv[1:]], known_only=True)[1:]
        if leftovers:
            raise ConfigError(_what_is_wrong(leftovers[0], list(flag_values)))
        return flag_values

    try:
        flag_values = parsed([])
        preset = flag_values["preset"].value if command.presets else ""
        return parsed([_preset_flag(preset)]) if preset else flag_values
    except ConfigError:
        raise
    except (flags.Error, ValueError) as error:  # a ValueError for --noresume=1, and for no UTF-8
        raise ConfigError(str(error).removeprefix("ERROR:: ")) from error


def _what_is_wrong(argument: str, names: Sequence[str]) -> str:
    """Returns what to say of an argument that is no flag; the names are those of the flags."""
    name = argument.lstrip("-").partition("=")[0]
    if not name or not argument.startswith("-"):
        return f"{argument[:80]!r} is no flag; flags are written --name=value"
    # Not by absl's own guess, which for a long name takes all memory.
    close = difflib.get_close_matches(name[:80], names, 1)
    guess = f" Did you mean --{close[0]}?" if close else ""
    return f"Unknown command line flag {name[:80]!r}.{guess}"


def _preset_flag(name: str) -> str:
    if name not in flagfiles.presets():
        raise ConfigError(f"--preset={name}: must be one of {', '.join(flagfiles.presets())}")
    return f"--flagfile={flagfiles.preset_file(name)}"


# Help

_WORDS = (
    "A trial trains one network, called its child, for a short time. A step changes one network in "
    "each of its branches, all of them side by side; an episode is a series of steps, whose best "
    "networks begin the next episode. The policy proposes the changes; the reward that it learns "
    "from is the validation accuracy, lowered where a limit is broken. Rungs are lengths of "
    "training: promising networks are promoted from one to the next. Trial e02s01b0 is of episode "
    "2, step 1, branch 0; an r2 behind it means trained anew at rung 2, an m1 measured again with "
    "another seed."
)


def _help(command: Command) -> Iterator[str]:
    """Yields the help for most people: the common flags, and the names of the others."""
    yield from _usage(command)
    yield from _words(command)
    yield "Flags that most people need, with their defaults:"
    for field in settings_in(command.config):
        if field.metadata["common"]:
            yield from _about(field, command)
    yield ""
    yield "All others by what they are about; --helpfull explains them:"
    for title, fields in _groups(command):
        others = [field.name for field in fields if not field.metadata["common"]]
        if others:
            yield f"  {title}"
            yield from _wrapped(", ".join(others))


def _full_help(command: Command) -> Iterator[str]:
    """Yields what every flag means."""
    yield from _usage(command)
    yield from _words(command)
    for title, fields in _groups(command):
        yield title
        for field in fields:
            yield from _about(field, command)
        yield ""


def _groups(command: Command) -> Iterator[tuple[str, list[Any]]]:
    """Yields what each owner's settings are about, by the first line of its docstring."""
    for owner in reversed(command.config.__bases__):
        if fields := settings_in(owner):
            yield str(owner.__doc__).partition("\n")[0], fields


def _usage(command: Command) -> Iterator[str]:
    title, names = command.files
    yield f"Usage: {command.usage}"
    yield ""
    yield f"{title}:"
    yield from _wrapped(", ".join(names))
    yield ""


def _words(command: Command) -> Iterator[str]:
    yield "Words:"
    yield from _wrapped(command.words)
    yield ""


def _about(field: Any, command: Command) -> Iterator[str]:
    choices = ", ".join(text_of(choice) for choice in field.metadata["choices"] if choice != "")
    yield f"  {command.default(field)}"
    yield from _wrapped(field.metadata["help"] + (f"; of {choices}" if choices else ""))


def _wrapped(text: str) -> list[str]:
    indent = " " * 6
    return textwrap.wrap(
        text, 96, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
