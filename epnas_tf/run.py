"""The entry point of a search, from configuration to result; the only place that wires rooms."""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import dataclasses
import os

from epnas_tf import config as config_lib
from epnas_tf import fields, resolve, result
from epnas_tf.architecture.settings import LimitSettings
from epnas_tf.config import SearchConfig
from epnas_tf.data.dataset import Data
from epnas_tf.data.names import absolute
from epnas_tf.resolve import blamed_on
from epnas_tf.result import SearchResult
from epnas_tf.training import devices
from epnas_tf.tuner.listeners.told import Told, telling
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.settings import OracleSettings, TunerSettings
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage


def search(config: SearchConfig, on_trial_end: Told = None) -> SearchResult:
    """Runs a search to its end, or goes on with the one in `config.work_dir`.

    Args:
      config: what to search, and how.
      on_trial_end: called with a `TrialRecord` after each trial, once its files are written; it
        cannot change the search, and what it raises ends it.

    Raises:
      ConfigError: the configuration cannot be run, or work_dir holds another search; raised before
        anything is trained or written.
      KeyboardInterrupt: the process was asked to stop; the same call goes on (without overwrite).
    """
    with blamed_on(config, "strategy"):
        devices.refuse_scope()
    resolve.check_places(config)
    with blamed_on(config, "work_dir"):
        stored = resolve.stored_config(config)
    if config.deterministic:
        devices.refuse_nondeterminism()
    with blamed_on(config, "threads_per_child"):
        threads = devices.use_threads((stored or config).threads_per_child)
    data = resolve.load_data(config)
    settled = stored or resolve.resolved(config, data, threads)
    with contextlib.ExitStack() as stack:
        with blamed_on(config, "work_dir"):
            tuner = make_tuner(resolve.to_be_read(settled, config), data)
            named = {"batch_size": settled.batch_size} if settled.batch_size else {}
            plan = tuner.plan(data, named)
            stack.enter_context(tuner.session.claimed())
            tuner.session.check(plan)  # another process may have begun a search meanwhile
            # What was said for this run alone is not repeated by the next.
            found = resolve.from_anywhere(settled)
            kept = dataclasses.replace(found, resume=True, overwrite=False, finish=False)
            storage.write_atomic(tuner.work_dir.flags, config_lib.to_flags_text(kept))
        stack.enter_context(telling(tuner.oracle, on_trial_end))
        tuner.run(plan)
        change = "without --finish" if config.finish else "with a larger one"
        larger_limit = config_lib.same_command(config, change)
        return result.finish(tuner, data, larger_limit)


def make_tuner(config: SearchConfig, data: Data) -> EPNASTuner:
    """Returns the tuner of a resolved configuration, ready to search `data`."""
    folder, name = os.path.split(absolute(config.work_dir.rstrip("/") or "/"))
    with blamed_on(config, "strategy"):
        strategy = devices.make_strategy(config.strategy, config.tpu)
    space = resolve.make_space(config, data)
    values, said = resolve.read_sources(config, space)
    oracle = EPNASOracle(
        space,
        **values,
        constraints=fields.pick(config, LimitSettings).constraints(),
        **fields.values_of(config, OracleSettings),
    )
    tuner = EPNASTuner(
        oracle,
        schedule=resolve.make_schedule(config),
        strategy=strategy,
        verbose=config.verbosity,
        directory=folder,
        project_name=name,
        overwrite=config.overwrite,
        **fields.values_of(config, TunerSettings),
    )
    tuner.console.read.update(said)
    return tuner
