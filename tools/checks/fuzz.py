"""Gives broken files to everything that reads a search's files, and looks for what must not happen.

Example: python -m epnas_tf.tools.checks.fuzz --inputs=100000 --seed=0 --targets=spec,trial

Whatever is in a file, reading it must give plain data or the documented error, soon and in little
memory. Each target begins with valid files that the package itself wrote; an input is one of them
with some of its bytes, words, JSON values or archive members changed. Inputs follow from the seed,
the target's name and their number alone. The first crash ends the run with exit code 1.

    pip install epnas_tf[fuzz]
    python -m epnas_tf.tools.checks.fuzz --atheris --targets=spec --seconds=120

lets atheris, where it is installed, choose by coverage which of one target's inputs to change next.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import inspect
import io
import itertools
import json
import logging
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from epnas_tf import config as config_lib
from epnas_tf import untrusted
from epnas_tf.architecture import initial
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import spec_from_json
from epnas_tf.data import dataset as data_lib
from epnas_tf.report import markdown, table
from epnas_tf.sharing.rules import Entry, Run, Values, shapes_of
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.training import schedule
from epnas_tf.tuner import durable, trial_data
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.listeners import results
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.workdir import project_file
from epnas_tf.workdir.layout import WorkDir

_INPUTS = flags.DEFINE_integer("inputs", 100_000, "broken files in all", 1)
_SEED = flags.DEFINE_integer("seed", 0, "what the inputs depend on")
_TARGETS = flags.DEFINE_list("targets", [], "readers by name, separated by commas (empty: all)")
_ATHERIS = flags.DEFINE_boolean("atheris", False, "let atheris choose the inputs of one target")
_SECONDS = flags.DEFINE_integer("seconds", 120, "how long atheris runs", 1)

_MAX_SECONDS = 10.0  # an input takes a millisecond or ten
_MAX_MEMORY = 2**30
_SHOWN = 500  # bytes of a crashing input

Mutator = Callable[[random.Random, bytes], bytes]


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader under test.

    Attributes:
      name: what --targets calls it.
      seeds: valid inputs.
      read: reads an input; returns False, or raises one of `refusals`, where it is refused.
      mutators: how its inputs are made of its seeds, besides changes of bytes.
      share: how many inputs it gets in proportion; less for slow readers.
      refusals: the documented errors.
    """

    name: str
    seeds: Sequence[bytes]
    read: Callable[[bytes], bool]
    mutators: Sequence[Mutator]
    share: int = 10
    refusals: tuple[type[Exception], ...] = (ValueError,)


class CrashError(Exception):
    """Something that must not happen; the message says all that is known."""


class _TooMuchError(BaseException):
    """An input that takes too long or too much memory; no reader catches it."""


# How inputs are made

_DEEP: Any = []
for _ in range(40):
    _DEEP = [_DEEP]
# Replacements of any value in JSON.
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 0.5, -0.0, 1e308, 5e-324, 2**31, 2**53, 2**63, 10**400),
    *(float("nan"), float("-inf"), "", "x", "1", "../../x", "\0", "\ud800", "e01s00b0", "x" * 9999),
    *([], [[]], [1, 2, 3], ["x"], {}, {"x": 1}, {"x": {"x": []}}, _DEEP),
)
# Insertions in any bytes, and replacements of words in any text.
_PIECES = (
    *(b"\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", "\N{ARABIC-INDIC DIGIT THREE}".encode()),
    *(b"", b"x", b"-1", b"0", b"1e999", b"nan", b"sNaN", b"1" * 5000, b"1e-99999999", b"../../x"),
    *(b"=", b",", b"\n", b"\r", b'"', b"\\", b"{", b"}", b"[" * 100_000, b'{"":' * 100_000),
    *(b"none", b"true", b"--help\n", b"--flagfile=x\n", b"\x1b[2J", b"x" * 200_000),
)
# Heads of arrays that hold less, or something else, than they say.
_HEADS = tuple(
    f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    for descr, shape in itertools.product(
        ("'|u1'", "'<f4'", "'<i8'", "'<c16'", "'|O'", "'<U0'", "'|V0'", "'<M8[ns]'", "'(9,9)<f8'"),
        ("()", "(0,)", "(60,)", "(60, 4, 4)", "(9999999999, 0)", "(9999999999999,)", "(-1,)"),
    )
) + (b"{'descr': " + b"(" * 9000, b"{'descr': " + b"-" * 9000 + b"1", b"{'descr':\n '", b"\0" * 99)


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns the data with up to four changes anywhere: flipped, cut, repeated, inserted."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + int(2 ** rng.uniform(0, 12)))
        before, inside, after = data[:start], data[start:end], data[end:]
        kind = rng.randrange(5)
        if kind == 0 and inside:
            data = before + bytes([inside[0] ^ 1 << rng.randrange(8)]) + inside[1:] + after
        elif kind == 1:
            data = before + after
        elif kind == 2:
            data = before
        elif kind == 3:
            data = before + inside * rng.randint(2, 20) + after
        else:
            data = before + rng.choice(_PIECES) + inside + after
    return data


def changed_words(rng: random.Random, data: bytes) -> bytes:
    """Returns text with a few of its words replaced; words stand between =, commas and lines."""
    words = re.split(rb"([=,\n]+)", data)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(words))
        words[place] = rng.choice(_PIECES) if rng.random() < 0.7 else rng.choice(words)
    return b"".join(words)


def changed_json(rng: random.Random, data: bytes) -> bytes:
    """Returns JSON with a few of its values and names replaced, deleted or added."""
    values = [json.loads(data)]
    for _ in range(rng.randint(1, 3)):
        _change(rng, values)
    return json.dumps(values[0]).encode()


def _change(rng: random.Random, values: list[Any]) -> None:
    """Changes one value, anywhere, in place."""
    places = list(_places(values))
    holder, name = rng.choice(places)
    old, kind = holder[name], rng.randrange(6)
    if isinstance(old, str) and old.startswith("{"):  # as the network in a trial's file
        with contextlib.suppress(ValueError):
            holder[name] = changed_json(rng, old.encode()).decode()
    elif kind == 0 and holder is not values:
        del holder[name]
    elif kind == 1:
        other, its_name = rng.choice(places)
        holder[name] = copy.deepcopy(other[its_name])
    elif kind == 2 and isinstance(old, dict):
        old[rng.choice(("", "x", "op", "extra", "__class__"))] = copy.deepcopy(rng.choice(_VALUES))
    elif kind == 2 and isinstance(old, list):
        old.extend(copy.deepcopy(old) * rng.choice((1, 1, 300)))
    else:
        holder[name] = copy.deepcopy(rng.choice(_VALUES))


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Yields where each value stands: its list or dict, and its index or name."""
    for name, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
        yield holder, name
        if isinstance(value, dict | list):
            yield from _places(value)


def changed_member(rng: random.Random, data: bytes) -> bytes:
    """Returns a whole archive of which one member was changed: no checksum gives it away."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = rng.choice(sorted(members))
    members[chosen] = _changed_array(rng, chosen, members[chosen])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 8, 12, 14))) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, archive.compression)
    return buffer.getvalue()


def _changed_array(rng: random.Random, name: str, content: bytes) -> bytes:
    if rng.random() < 0.4:
        head = rng.choice(_HEADS)
        size = len(head).to_bytes(2, "little")
        return b"\x93NUMPY" + bytes([rng.choice((1, 1, 2, 9)), 0]) + size + head + content[128:]
    if "json" in name and rng.random() < 0.8:
        text = changed_json(rng, content[128:])
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(text, np.uint8))
        return buffer.getvalue()
    return changed_bytes(rng, content)


def mutated(target: Target, rng: random.Random, data: bytes) -> bytes:
    """Returns an input made of a valid one, or of any other."""
    chosen = rng.choice((changed_bytes, *target.mutators, *target.mutators))
    try:
        return chosen(rng, data)
    except untrusted.BAD_ARCHIVE:
        return changed_bytes(rng, data)  # it was changed before, and is no longer of its kind


def input_of(target: Target, seed: int, number: int) -> bytes:
    """Returns a target's input of a number; the first ones are valid."""
    if number < len(target.seeds):
        return target.seeds[number]
    rng = random.Random(f"{seed} {target.name} {number}")
    data = mutated(target, rng, rng.choice(target.seeds))
    return mutated(target, rng, data) if rng.random() < 0.1 else data


# What reads them

_LAYERWISE = layerwise_space((8, 8), channels=(4, 8), filter_widths=(1, 3), max_layers=4)
_MODULE = module_space(max_branches=3, cells_per_stage=2, width_multiplier=1.5)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _read_spec(data: bytes) -> bool:
    spec = spec_from_json(data.decode())
    if spec_from_json(spec.to_json()) != spec:
        raise AssertionError("a network that was read must come back as it is")
    return bool(spec.key)


def _spec_target() -> Target:
    rng = np.random.default_rng(0)
    specs = [
        initial.starting_spec(space, rng, lambda _: 0.0, frozenset())
        for space in (_LAYERWISE, _MODULE)
        for _ in range(3)
    ]
    own = b'{"pattern":"layerwise","stem_filters":8,"layers":[{"op":"gru","units":8,"gate":"a"}]}'
    seeds = [*(spec.to_json().encode() for spec in specs), own]
    return Target("spec", seeds, _read_spec, [changed_json], 30)


def _json_target(specs: Sequence[bytes]) -> Target:
    def read(data: bytes) -> bool:
        values = untrusted.parse_object(data)
        json.dumps(values, allow_nan=False)
        return True

    return Target("json", specs, read, [changed_json], 30)


def _oracle(folder: str, space: SearchSpace) -> EPNASOracle:
    oracle = EPNASOracle(space, policy="random", branches=2, episodes=2, steps=2)
    oracle._set_project_dir(folder, "p")
    oracle.verbose = 0
    oracle.bind(Budget((8, 8, 1), 10))
    oracle.reload()
    _play(oracle)
    return oracle


def _play(oracle: EPNASOracle) -> None:
    """Plays a search in which every child takes no time."""
    numbers = {"seconds": 1.0, "overhead_seconds": 0.5, "status": 0.0, "offer": 7.0}
    while (trial := oracle.create_trial("tuner0")).status == Status.RUNNING:
        accuracy = 1 / (2 + len(oracle.trials))
        scores = {"reward": accuracy, "accuracy": accuracy, "curve_001": 0.5}
        oracle.update_trial(trial.trial_id, numbers | scores)
        trial.status = Status.COMPLETED
        oracle.end_trial(trial)


def _trial_target(name: str, oracle: EPNASOracle) -> Target:
    files = [f"{oracle._project_dir}/trial_{number:04d}/trial.json" for number in (0, 3)]
    states = []
    for path in files:
        with open(path, "rb") as file:
            states.append(file.read().replace(b'"0003"', b'"0000"'))

    def read(data: bytes) -> bool:
        _write(files[0], data)
        trial = oracle._load_trial("0000")
        values = durable.values(trial)
        if values and trial.status == Status.COMPLETED and trial.score is not None:
            oracle._records.clear()
            results.row(oracle.record(trial))  # what every accepted trial must be good for
        return bool(values)

    return Target(name, states, read, [changed_json], 20)


def _record_targets(oracle: EPNASOracle) -> list[Target]:
    def read_record(data: bytes) -> bool:
        values = untrusted.parse_object(data)
        trial_data.check_values(values, _LAYERWISE)
        logged = trial_data.proposal_of(values, _LAYERWISE)
        return bool(trial_data.values_of(logged, values["attempt"], values["worker"]))

    def read_metrics(data: bytes) -> bool:
        metrics = untrusted.parse_object(data)
        trial_data.check_metrics(metrics)
        return bool(trial_data.curve_in(metrics))

    known = list(oracle.trials.values())
    values = [json.dumps(durable.values(trial)).encode() for trial in known]
    metrics = [json.dumps(durable.metrics(trial)).encode() for trial in known[:2]]
    return [
        Target("values", values, read_record, [changed_json], 20),
        Target("metrics", metrics, read_metrics, [changed_json], 10),
    ]


def _project_target(folder: str, oracle: EPNASOracle) -> Target:
    images = project_file.Images((8, 8, 1), 10, 255.0, (0.5,), (0.25,))
    plan = schedule.schedule("quick")
    settings = project_file.settings_of(_LAYERWISE, oracle.settings, oracle.budget, plan)
    stored = project_file.Project(images, 10.0, settings)
    path = f"{folder}/project.json"
    project_file.write(path, stored)
    with open(path, "rb") as file:
        seed = file.read()

    def read(data: bytes) -> bool:
        _write(path, data)
        found = project_file.read(path)
        assert found is not None
        project_file.differences(found, stored)
        return True

    return Target("project", [seed], read, [changed_json], 10)


def _table_targets(folder: str, oracle: EPNASOracle) -> list[Target]:
    files = WorkDir(folder)
    trials = results.csv_text(oracle.records()).encode()
    best = json.dumps(results.best_values(oracle.best_records()[0], ())).encode()

    def rendered(trials: bytes, best: bytes) -> bool:
        _write(files.trials_csv, trials)
        _write(files.best, best)
        text = table.render(folder)
        try:
            return bool(text.encode())
        except UnicodeEncodeError as error:
            raise AssertionError("a table must be text that can be printed") from error

    return [
        Target("trials_csv", [trials], lambda data: rendered(data, best), [changed_words], 10),
        Target("best", [best], lambda data: rendered(trials, data), [changed_json], 10),
    ]


def _blocks() -> list[tuple[Entry, Values]]:
    values: Values = {
        "conv": {"kernel": np.ones((3, 3, 2, 4), np.float32)},
        "bn": {"gamma": np.ones(4, np.float32)},
    }
    runs = {"conv": (Run("image", 2),)}
    return [
        (Entry("layer1_conv2d", "e01s00b0", 0.5, shapes_of(values), runs), values),
        (Entry("layer2_skip", "e01s00b0", 0.5, {}, {"main": (Run("stem", 4),)}), {}),
    ]


def _store_targets(folder: str) -> list[Target]:
    kept, taken = f"{folder}/index", f"{folder}/offers"
    store = ParamStore(kept)
    offer = store.offer("e01s00b0-1", _blocks())
    store.commit(1, [offer])
    os.makedirs(taken)
    with open(f"{kept}/index.json", "rb") as file:
        index = file.read()
    with open(f"{kept}/{offer.file}", "rb") as file:
        content = file.read()

    def read_index(data: bytes) -> bool:
        _write(f"{kept}/index.json", data)
        found = ParamStore(kept)
        for entry in found.entries:
            found.load(entry)
        return found.generation > 0

    def read_offer(data: bytes) -> bool:
        offered = Offer("x", int(hashlib.sha256(data).hexdigest()[:13], 16))
        path = f"{taken}/{offered.file}"
        _write(path, data)
        try:
            found = ParamStore(taken)
            if found.holds(offered) != bool(data):
                raise AssertionError("a file of the right hash must count as whole")
            found.commit(1, [offered])
            for entry in found.entries:
                found.load(entry)
            return True
        finally:
            for name in (path, f"{taken}/index.json"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(name)

    return [
        Target("index", [index], read_index, [changed_json], 10),
        Target("offer", [content], read_offer, [changed_member], 10),
    ]


def _read_flags(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    config = config_lib.from_flags_text(text)
    written = config_lib.to_flags_text(config)
    written.encode()
    if config_lib.from_flags_text(written) != config:
        raise AssertionError("a configuration that was read must come back as it is")
    return True


def _flags_targets(folder: str) -> list[Target]:
    path = f"{folder}/flagfile"
    refusals = (config_lib.ConfigError,)
    layerwise = config_lib.SearchConfig(channels=(8, 16), max_params=2e4, steps=3)
    module = config_lib.SearchConfig(pattern="module", max_disk=None, work_dir="größe")
    seeds = [config_lib.to_flags_text(config).encode() for config in (layerwise, module)]

    def parsed(arguments: Sequence[str]) -> bool:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                config = config_lib.parse(["epnas_search", *arguments])
        except SystemExit:  # --help
            return True
        return bool(config_lib.to_flags_text(config).encode())

    def read_file(data: bytes) -> bool:
        _write(path, data)
        return parsed([f"--flagfile={path}"])

    def read_arguments(data: bytes) -> bool:
        return parsed(data.decode(errors="surrogateescape").split("\n"))  # as the system does

    short = [
        b"--seed=1\n--max_params=20k\n--noresume",
        b"--preset=digits_quickstart\n--channels=8,16",
    ]
    return [
        Target("flags", seeds, _read_flags, [changed_words], 10, refusals),
        Target("flagfile", seeds, read_file, [changed_words], 2, refusals),
        Target("arguments", short, read_arguments, [changed_words], 2, refusals),
    ]


def _npz_target(folder: str) -> Target:
    path = f"{folder}/images.npz"
    x, y = np.arange(60 * 16, dtype=np.float32).reshape(60, 4, 4), np.arange(60) % 3
    arrays = (
        {"x_train": (x % 256).astype(np.uint8), "y_train": y},
        {"x_train": x, "y_train": np.eye(3)[y], "x_val": x[-6:], "y_val": y[-6:]},
    )
    seeds = []
    for named in arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **named)  # type: ignore[arg-type]
        seeds.append(buffer.getvalue())

    def read(data: bytes) -> bool:
        _write(path, data)
        return len(data_lib.load(f"npz:{path}").train) > 0

    return Target("npz", seeds, read, [changed_member], 10)


def all_targets(folder: str) -> list[Target]:
    """Returns a target a reader; their files are in the folder."""
    oracle, spec = _oracle(folder, _LAYERWISE), _spec_target()
    return [
        spec,
        _json_target(spec.seeds),
        _trial_target("trial", oracle),
        _trial_target("module_trial", _oracle(f"{folder}/module", _MODULE)),
        *_record_targets(oracle),
        _project_target(folder, oracle),
        *_table_targets(folder, oracle),
        *_store_targets(folder),
        *_flags_targets(folder),
        _npz_target(folder),
    ]


# Running them


@dataclasses.dataclass
class Tally:
    """What came of a target's inputs."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Stops the body where it takes too long, and refuses what it took too much memory for."""

    def stop(*_: Any) -> None:
        raise _TooMuchError(f"it took longer than {_MAX_SECONDS:g} seconds")

    before, old = _peak_memory(), signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    if _peak_memory() > before + _MAX_MEMORY:
        raise _TooMuchError(f"it took more than {_MAX_MEMORY} bytes")


def _peak_memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def check(target: Target, data: bytes, source: str) -> bool:
    """Returns whether a target accepts an input.

    Raises:
      CrashError: it did what it must not; `source` says where the input is from.
    """
    try:
        with _watched():
            return target.read(data)
    except target.refusals:
        return False
    except (Exception, _TooMuchError) as error:
        shown = repr(data[:_SHOWN]) + (f"... ({len(data)} bytes)" if len(data) > _SHOWN else "")
        raise CrashError(f"{target.name}, {source}: {shown}\n{traceback.format_exc()}") from error


def fuzz(targets: Sequence[Target], inputs: int, seed: int) -> dict[str, Tally]:
    """Returns what came of so many inputs, by target; raises CrashError at the first crash."""
    total = sum(target.share for target in targets)
    tallies = {}
    for target in targets:
        tally = tallies[target.name] = Tally()
        start = time.monotonic()
        for number in range(max(len(target.seeds), round(inputs * target.share / total))):
            source = f"--seed={seed}, input {number}"
            accepted = check(target, input_of(target, seed, number), source)
            if number < len(target.seeds) and not accepted:
                raise CrashError(f"{target.name}, {source}: a valid input was refused")
            tally.accepted += accepted
            tally.refused += not accepted
        tally.seconds = time.monotonic() - start
    return tallies


def summary(tallies: dict[str, Tally]) -> str:
    """Returns a table with a row a target, and one for all."""
    named = list(tallies.items())
    every = Tally(*(sum(getattr(t, f.name) for _, t in named) for f in dataclasses.fields(Tally)))
    rows = [
        (name, *(f"{n:,}" for n in (t.accepted + t.refused, t.accepted, t.refused)), _time(t))
        for name, t in [*named, ("all", every)]
    ]
    return markdown.table(("target", "inputs", "accepted", "refused", "seconds"), rows)


def _time(tally: Tally) -> str:
    return f"{tally.seconds:.1f}"


def _chosen(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    known = [target.name for target in targets]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise app.UsageError(f"--targets must be of {', '.join(known)}, got {', '.join(unknown)}")
    return [target for target in targets if not names or target.name in names]


# With atheris


def _run_atheris(targets: Sequence[Target], seed: int, seconds: int, folder: str) -> None:
    """Gives a target what atheris chooses; ends the process, with exit code 0 if nothing is found.

    Raises:
      app.UsageError: there is not one target, or no atheris.
    """
    try:
        import atheris
    except ImportError as error:
        message = "--atheris needs the package atheris (pip install epnas_tf[fuzz])"
        raise app.UsageError(message) from error
    if len(targets) != 1:
        raise app.UsageError("--atheris takes one target, such as --targets=spec")
    (target,) = targets
    corpus = f"{folder}/corpus"
    os.makedirs(corpus)
    for number, data in enumerate(target.seeds):
        _write(f"{corpus}/{number}", data)
    _instrument(atheris)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(target, random.Random(seed), data)[:max_size]

    limits = [f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=20000"]  # 0 is random
    arguments = ["fuzz", *limits, f"-artifact_prefix={folder}/", corpus]
    atheris.Setup(arguments, lambda data: check(target, data, "atheris"), custom_mutator=change)
    atheris.Fuzz()


def _instrument(atheris: Any) -> None:
    """Lets atheris see which lines of ours, and of the JSON decoder, an input reaches."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("epnas_tf.", "json.")) and not name.startswith("epnas_tf.tools"):
            for holder in (module, *_own(module, inspect.isclass)):
                for function in _own(holder, inspect.isfunction, name):
                    atheris.instrument_func(function)


def _own(holder: Any, kind: Callable[[Any], bool], module: str = "") -> list[Any]:
    """Returns the classes or functions that were written in a module."""
    module = module or holder.__name__
    found = [getattr(value, "__func__", value) for value in vars(holder).values()]
    return [value for value in found if kind(value) and getattr(value, "__module__", "") == module]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back our warnings of torn trials, and NumPy's of means of nothing and old heads."""
    logger = logging.getLogger("epnas_tf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def main(argv: Sequence[str]) -> int:
    """Prints a table of what came of the inputs; returns the exit code, 1 for a crash."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        targets = _chosen(all_targets(folder), _TARGETS.value)
        if _ATHERIS.value:
            _run_atheris(targets, _SEED.value, _SECONDS.value, folder)
        try:
            print(summary(fuzz(targets, _INPUTS.value, _SEED.value)))
        except CrashError as crash:
            print(crash, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    app.run(main)
