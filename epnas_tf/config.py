"""The configuration of a search: one flat frozen dataclass, and the flags that are made from it.

A field's declaration holds all that is known of it (type, default, help, what is allowed); flags,
`--help`, flags.txt and the checks follow from there. This is the only library module that knows
absl flags. The rooms never see a SearchConfig: run.py hands them plain values.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf.fields import ConfigError, check, flag, read, setting, text_of, typed
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir


def _table(help: str, *, choices: tuple[str, ...] = (), least: float | None = None) -> Any:
    """Declares a table of choices of the search space; empty stands for the paper's."""
    text = f"{help} (empty: the paper's table of the pattern)"
    return setting((), text, choices=choices, least=least, auto=True)


def _limit(help: str) -> Any:
    """Declares one side of a resource limit."""
    return setting(None, f"{help}, such as 20k, 1M, 1.5G (none: no limit)", above=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """All settings of a search; raises ConfigError where they cannot be run."""

    work_dir: str = setting("epnas_work", "folder of the search's files; made if missing")
    resume: bool = setting(True, "go on with the search in work_dir (false: refuse one)")
    overwrite: bool = setting(False, "delete the search in work_dir and begin anew")
    dataset: str = setting("digits", "digits, a tfds name, folder:PATH or npz:PATH")
    data_dir: str = setting("", "folder of prepared tfds data sets (empty: tfds' own)")
    image_size: int = setting(0, "height and width (0: the set's own)", least=0, auto=True)
    train_fraction: float = setting(1.0, "share of the training part to use", above=0, most=1)

    pattern: str = setting("layerwise", "what is searched", choices=("layerwise", "module"))
    channels: tuple[int, ...] = _table("channels of a layer or branch", least=1)
    filter_widths: tuple[int, ...] = _table("widths of convolutions", least=1)
    pool_widths: tuple[int, ...] = _table("widths of pooling", least=1)
    activations: tuple[str, ...] = _table(
        "activations of layers", choices=("relu", "crelu", "elu", "selu", "swish")
    )
    layer_types: tuple[str, ...] = _table(
        "operations of layers", choices=("conv2d", "dep_sep_conv2d", "max_pool", "avg_pool", "add")
    )
    branch_types: tuple[str, ...] = _table(
        "types of branches",
        choices=(
            *("conv-conv", "conv-maxpool", "conv-avgpool", "conv-none"),
            *("maxpool-none", "avgpool-none", "1x7-7x1-none"),
        ),
    )
    max_layers: int = setting(20, "most layers of a network", least=1)
    max_branches: int = setting(6, "most branches of a cell", least=1)
    parts: int = setting(4, "groups of layers that are scaled together", least=1)
    stem_filters: int = setting(16, "filters of a layerwise network's stem", least=1)
    filters: int = setting(16, "filters of a cell network's stem", least=1)
    cells_per_stage: int = setting(1, "cells in each of the three stages", least=1)
    width_multiplier: float = setting(1.0, "factor on the channels of cells", above=0)

    max_params: float | None = _limit("most trainable parameters")
    min_params: float | None = _limit("fewest trainable parameters")
    max_flops: float | None = _limit("most FLOPs an image (2 a multiply-add)")
    min_flops: float | None = _limit("fewest FLOPs an image (2 a multiply-add)")
    max_intensity: float | None = _limit("highest FLOPs a byte moved")
    min_intensity: float | None = _limit("lowest FLOPs a byte moved")
    max_traffic: float | None = _limit("most bytes moved an image")
    min_traffic: float | None = _limit("fewest bytes moved an image")
    penalty_base: float = setting(0.9, "reward factor at 100% violation", above=0, most=1)
    skip_over: float = setting(2.0, "do not train a child this many times over a limit", least=1)
    max_child_minutes: float = setting(10.0, "do not train a child for longer", above=0)
    max_child_memory: float | None = setting(
        None, "do not train a child that needs more bytes, such as 4G (none: no limit)", above=0
    )

    policy: str = setting("lstm", "who chooses the changes", choices=("lstm", "random"))
    branches: int = setting(8, "networks changed side by side in a step", least=1)
    episodes: int = setting(15, "episodes; each starts from the best of the one before", least=1)
    steps: int = setting(0, "steps an episode (0: 10 layerwise, 5 module)", least=0, auto=True)
    seed: int = setting(0, "root of all randomness", least=0)
    max_trials: int = setting(
        0, "stop after this many trials, reused ones apart (0: no limit)", least=0
    )
    max_hours: float = setting(0.0, "stop after this many hours (0: no limit)", least=0)
    check_table_mix: float = setting(0.2, "share of fixed inserting places", least=0, most=1)
    policy_learning_rate: float = setting(2e-3, "learning rate of the policy's Adam", above=0)
    policy_update: str = setting(
        "step", "when the policy learns from trained networks", choices=("step", "episode")
    )
    policy_baseline: str = setting(
        "step_mean",
        "what its rewards are compared with",
        choices=("moving_average", "step_mean", "parent", "critic"),
    )
    policy_epochs: int = setting(1, "Adam steps an update, clipped as in PPO if several", least=1)
    policy_clip: float = setting(
        0.2, "largest change of an action's odds by PPO", above=0, most=0.9
    )
    policy_entropy: float = setting(0.3, "weight of the policy's entropy bonus", least=0)
    policy_part_inputs: bool = setting(
        True, "show the scale LSTM the part it decides (false: the whole network only)"
    )
    replay: int = setting(0, "best changes that are learnt again after a step", least=0)
    parents: str = setting(
        "best", "what a step's changes start from", choices=("branch", "best", "tournament")
    )
    screen: int = setting(
        64, "changes proposed a branch, of which the reward predictor picks one", least=1
    )
    imagined_updates: int = setting(
        10, "policy updates a step on changes with predicted rewards", least=0
    )
    imagined_batch: int = setting(8, "imagined changes a branch in such an update", least=1)
    predictor_skill: float = setting(
        0.3, "rank correlation from which the predictor is trusted", least=-1, most=1
    )
    reuse_duplicates: bool = setting(
        True, "answer a repeated network from memory, not by training (false: train again)"
    )
    max_attempts: int = setting(5, "tries of a trial before it counts as failed", least=1)

    schedule: str = setting(
        "",
        "recipe of a child (empty: quick, or the set's own)",
        choices=("", "quick", "plain", "aggressive"),
        auto=True,
    )
    epochs: int = setting(0, "epochs a child (0: the schedule's)", least=0, auto=True)
    batch_size: int = setting(0, "images an update (0: the schedule's)", least=0, auto=True)
    micro_batch_size: int = setting(
        0,
        "images at once, summed up to a batch (0: the batch, or what is fastest of a large one)",
        least=0,
        auto=True,
    )
    learning_rate: float = setting(
        0.0, "highest rate (0: the schedule's, in proportion to the batch)", least=0, auto=True
    )
    warmup_epochs: int = setting(-1, "epochs of warm-up (-1: the schedule's)", least=-1, auto=True)
    weight_decay: float = setting(1e-4, "decay of kernels", least=0)
    clip_norm: float = setting(5.0, "longest gradient (0: any)", least=0)
    stop_hopeless: float = setting(
        0.0,
        "stop a child whose training accuracy is this far below the step before (0: never)",
        least=0,
        most=0.9,
    )
    parameter_sharing: str = setting(
        "none",
        "what a child starts from: fresh weights, those of earlier children at the same layer "
        "numbers, or those of the same layers whatever their numbers",
        choices=("none", "dictionary", "lineage"),
    )
    max_disk: float | None = setting(
        2e9,
        "stop when work_dir holds more bytes; shared parameters take half of it at most "
        "(none: no limit)",
        above=0,
    )
    strategy: str = setting("none", "devices of a child", choices=("none", "mirrored", "tpu"))
    tpu: str = setting("", "TPU name or address, for --strategy=tpu")
    deterministic: bool = setting(
        False, "let TensorFlow refuse operations whose results may differ between runs"
    )
    threads_per_child: int = setting(0, "threads a child (0: all cores)", least=0, auto=True)
    machine_gflops: float = setting(0.0, "speed of training (0: measured)", least=0, auto=True)
    keep_models: int = setting(3, "best networks whose weights are kept", least=1)
    verbosity: int = setting(1, "0: the result, 1: a line a trial, 2: more", choices=(0, 1, 2))

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = typed(field, getattr(self, field.name))
            check(field, value)
            object.__setattr__(self, field.name, value)
        _check_together(self)


# The headings of --help, by the first field below each.
_HEADINGS = {
    "work_dir": "Files and data",
    "pattern": "Search space",
    "max_params": "Resource limits",
    "policy": "Search",
    "schedule": "Training of a child",
    "strategy": "Machine",
    "keep_models": "Results",
}

# What a resumed search may be given anew: nothing here changes a trial's network or result, but
# for --max_disk, which decides what later children can inherit.
MAY_CHANGE_ON_RESUME = frozenset(
    {
        *("work_dir", "data_dir", "max_trials", "max_hours", "max_attempts", "max_disk", "tpu"),
        *("resume", "overwrite", "keep_models", "verbosity"),
    }
)
# The place of a folder of images or an .npz file may change too: see `_same_kind`.
# More of these only extends a search.
MAY_GROW_ON_RESUME = frozenset({"episodes"})
# What is said for one run: a command that goes on does not take it from the run before.
_OF_ONE_RUN = frozenset({"work_dir", "resume", "overwrite", "max_trials", "max_hours", "verbosity"})


def parse(argv: Sequence[str]) -> SearchConfig:
    """Returns the configuration of a command line; argv[0] is the command's own name.

    `--preset=NAME` and `--flagfile=PATH` read flags from files. Flags of the command line override
    those of a preset wherever it stands; otherwise the last value wins.

    Raises:
      ConfigError: for an unknown flag, a value that is not allowed or anything left over.
      SystemExit: after printing the help for --help.
    """
    return from_flags(_flags_of(argv))


def parse_to_go_on(argv: Sequence[str]) -> SearchConfig:
    """Returns the configuration of a command line that may go on with the search in its work_dir.

    What no flag says, in a preset or flagfile neither, is as that search has it, but for the limits
    of one run (`max_trials`, `max_hours`). Where there is none, this is `parse`.

    Raises:
      ConfigError: as `parse`, or what is said contradicts that search.
      SystemExit: after printing the help for --help.
    """
    flag_values = _flags_of(argv)
    values = _values(flag_values)
    _check_work_dir(values["work_dir"])
    stored = None
    if values["resume"] and not values["overwrite"]:
        stored = _readable(WorkDir(values["work_dir"]).flags)
    if stored is None:
        return SearchConfig(**values)
    unsaid = (name for name in values.keys() - _OF_ONE_RUN if not flag_values[name].present)
    values |= {name: getattr(stored, name) for name in unsaid}
    try:
        return SearchConfig(**values)
    except ConfigError:
        refuse_other(stored, values)  # what was said does not go with what is stored
        raise


def define_flags(flag_values: Any) -> None:
    """Defines a flag for each field, and --preset, in an absl FlagValues.

    Every flag but a truth value holds text: `from_flags` reads and checks all in one place.
    """
    from absl import flags

    flags.DEFINE_string("preset", "", "shipped flagfile to begin with", flag_values)
    for field in dataclasses.fields(SearchConfig):
        is_bool = field.type == "bool"  # --overwrite and --noresume stand without a value
        define = flags.DEFINE_boolean if is_bool else flags.DEFINE_string
        default = field.default if is_bool else text_of(field.default)
        define(field.name, default, field.metadata["help"], flag_values=flag_values)


def from_flags(flag_values: Any) -> SearchConfig:
    """Returns the configuration held by flags that `define_flags` defined; raises ConfigError."""
    return SearchConfig(**_values(flag_values))


def _values(flag_values: Any) -> dict[str, Any]:
    return {
        field.name: read(field, text_of(flag_values[field.name].value))
        for field in dataclasses.fields(SearchConfig)
    }


def _readable(path: str) -> SearchConfig | None:
    """Returns the configuration in a file; None without one that can be read (`search` says so)."""
    refusals: tuple[type[Exception], ...] = (ValueError, *storage.failures(path))
    try:
        return from_flags_text(storage.read_text(path)) if storage.exists(path) else None
    except refusals:
        return None


def to_flags_text(config: SearchConfig) -> str:
    """Returns every setting as a line `--name=value`: a flagfile that reloads exactly."""
    fields = dataclasses.fields(config)
    return "".join(f"{flag(field.name, getattr(config, field.name))}\n" for field in fields)


def from_flags_text(text: str) -> SearchConfig:
    """Returns the configuration that `to_flags_text` wrote; raises ConfigError.

    Unlike a flagfile of the command line, the text cannot name other files.
    """
    fields = {field.name: field for field in dataclasses.fields(SearchConfig)}
    values: dict[str, Any] = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("--").partition("=")
        if not line or line.startswith("#"):
            continue
        if not line.startswith("--") or not equals or name not in fields:
            raise ConfigError(f"{line[:80]!r} is no setting; a line must be --name=value")
        values[name] = read(fields[name], value)
    return SearchConfig(**values)


def differences(stored: SearchConfig, asked: SearchConfig) -> list[str]:
    """Returns how `asked` contradicts the stored configuration of a search, a phrase a flag.

    Settings that may change when a search is resumed are left out, and so are those that `asked`
    leaves to the search: what was chosen then stands.
    """
    return _differences(stored, vars(asked))


def refuse_other(stored: SearchConfig, asked: Mapping[str, Any]) -> None:
    """Raises ConfigError where settings contradict the stored configuration of a search."""
    differing = _differences(stored, asked)
    if differing:
        raise ConfigError(
            f"{flag('work_dir', asked['work_dir'])}: holds a search of another configuration: "
            + "; ".join(differing)
            + " (another --work_dir begins a new one, --overwrite deletes this one)"
        )


def _differences(stored: SearchConfig, asked: Mapping[str, Any]) -> list[str]:
    phrases = []
    for field in dataclasses.fields(SearchConfig):
        old, new = getattr(stored, field.name), asked[field.name]
        left_open = field.metadata["auto"] and new == field.default
        extended = field.name in MAY_GROW_ON_RESUME and new > old
        moved = field.name == "dataset" and _same_kind(old, new)
        allowed = left_open or extended or moved or field.name in MAY_CHANGE_ON_RESUME
        if old != new and not allowed:
            phrases.append(f"{flag(field.name, new)} (stored: {text_of(old)})")
    return phrases


def _same_kind(old: str, new: str) -> bool:
    """Says whether both data sets are of files, which may have moved: their content is compared."""
    kind = old.partition(":")[0]
    return kind in ("folder", "npz") and new.startswith(f"{kind}:")


def preset_names() -> list[str]:
    """Returns the names that --preset takes."""
    return sorted(path.stem for path in _preset_folder().glob("*.flags"))


def _preset_folder() -> pathlib.Path:
    # Inside the package once installed, beside it in a checkout.
    package = pathlib.Path(__file__).parent
    installed = package / "flags"
    return installed if installed.is_dir() else package.parent / "flags"


def _flags_of(argv: Sequence[str]) -> Any:
    """Returns the absl FlagValues of a command line, its preset read; see `parse`."""
    from absl import flags

    if not {"--help", "-help", "-h"}.isdisjoint(argv[1:]):
        print(_help_text())
        raise SystemExit(0)

    def parsed(before: Sequence[str]) -> Any:
        # Flags of our own, not absl's global ones: libraries add theirs to those.
        flag_values = flags.FlagValues()
        define_flags(flag_values)
        leftovers = flag_values(["", *before, *argv[1:]], known_only=True)[1:]
        if leftovers:
            raise ConfigError(_what_is_wrong(leftovers[0], list(flag_values)))
        return flag_values

    try:
        flag_values = parsed([])
        preset = flag_values["preset"].value
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
    guess = f" Did you mean: {close[0]} ?" if close else ""
    return f"Unknown command line flag {name[:80]!r}.{guess}"


def _preset_flag(name: str) -> str:
    if name not in preset_names():
        raise ConfigError(f"--preset={name}: must be one of {', '.join(preset_names())}")
    return f"--flagfile={_preset_folder() / name}.flags"


def _check_together(config: SearchConfig) -> None:
    for field in dataclasses.fields(config):
        if field.type == "tuple[int, ...]":
            _check_rising(field.name, getattr(config, field.name))
    for metric in ("params", "flops", "intensity", "traffic"):
        _check_limits(config, metric)
    _check_work_dir(config.work_dir)
    _check_pattern(config)
    _check_training(config)


def _check_rising(name: str, table: tuple[int, ...]) -> None:
    # Scaling steps to the next entry, so that the order has a meaning.
    if any(first >= second for first, second in itertools.pairwise(table)):
        raise ConfigError(f"{flag(name, table)}: must rise from each entry to the next")


def _check_work_dir(work_dir: str) -> None:
    """Raises ConfigError for a bucket itself: its parent, which Keras Tuner asks for, is none."""
    scheme, mark, rest = work_dir.partition("://")
    bucket, _, folder = rest.partition("/")
    if mark and not folder.strip("/"):
        example = f"{scheme}://{bucket or 'bucket'}/search"
        raise ConfigError(
            f"{flag('work_dir', work_dir)}: must be a folder in a bucket, such as {example}"
        )


def _check_limits(config: SearchConfig, metric: str) -> None:
    lower, upper = getattr(config, f"min_{metric}"), getattr(config, f"max_{metric}")
    if lower is not None and upper is not None and lower > upper:
        raise ConfigError(
            f"{flag(f'min_{metric}', lower)}: is above {flag(f'max_{metric}', upper)}"
        )


def _check_pattern(config: SearchConfig) -> None:
    foreign = ("activations", "layer_types") if config.pattern == "module" else ("branch_types",)
    for name in foreign:
        if value := getattr(config, name):
            other = "layerwise" if config.pattern == "module" else "module"
            raise ConfigError(f"{flag(name, value)}: needs --pattern={other}")
    crelu = config.pattern == "layerwise" and "crelu" in (config.activations or ("crelu",))
    if crelu and any(size % 2 for size in config.channels):
        raise ConfigError(
            f"{flag('channels', config.channels)}: must be even, because the activation crelu "
            "doubles them (or leave crelu out of --activations)"
        )


def _check_training(config: SearchConfig) -> None:
    micro, batch = config.micro_batch_size, config.batch_size
    if micro and batch % micro:
        raise ConfigError(f"--micro_batch_size={micro}: must divide --batch_size={batch}")
    warmup, epochs = config.warmup_epochs, config.epochs
    if epochs and warmup > epochs:
        raise ConfigError(f"--warmup_epochs={warmup}: is above --epochs={epochs}")
    if config.tpu and config.strategy != "tpu":
        raise ConfigError(f"--tpu={config.tpu}: needs --strategy=tpu, got {config.strategy}")


def _help_text() -> str:
    indent = " " * 6
    wrapper = textwrap.TextWrapper(
        96, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    lines = ["Usage: epnas_search [--preset=NAME] [--flagfile=PATH] [--name=value ...]", ""]
    lines += ["Presets:", *wrapper.wrap(", ".join(preset_names()))]
    for field in dataclasses.fields(SearchConfig):
        if field.name in _HEADINGS:
            lines += ["", f"{_HEADINGS[field.name]}:"]
        choices = ", ".join(text_of(choice) for choice in field.metadata["choices"] if choice != "")
        text = field.metadata["help"] + (f"; of {choices}" if choices else "")
        lines.append(f"  {flag(field.name, field.default)}")
        lines += wrapper.wrap(text)
    return "\n".join(lines)
