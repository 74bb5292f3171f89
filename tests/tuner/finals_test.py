"""The end of a search, in a real tuner: trials outside the fold, kills, limits, who wins."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import resources
from epnas_tf.architecture.cost import Cost
from epnas_tf.searching import trials
from epnas_tf.searching.fold import Fold
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.trainer import TrainResult
from epnas_tf.tuner import durable, run_limits
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.trial_data import Outcome
from epnas_tf.workdir import best_json, hits_file, storage, trials_csv
from epnas_tf.workdir.layout import WorkDir


@pytest.fixture(name="trained", autouse=True)
def _trained(monkeypatch):
    """Lets images be classified by chance, the more of them the longer; lists what was trained."""
    trained = []

    def evaluate(self, spec, seed, keep=None, epochs=1, **_):
        trained.append((spec, seed, epochs))
        rng = randomness.generator(seed, spec.key)
        skill = 0.3 + 0.2 * epochs + int(spec.key[:4], 16) / 2**18
        hits = rng.random(len(self.data.validation)) < skill
        accuracy = float(hits.mean())
        training = TrainResult((), accuracy, accuracy, 1, 1.0, 0.0, True, hits)
        reward = self.budget.reward(accuracy, spec)
        return Evaluation(accuracy, reward, "trained", 1.0, training, epochs=epochs)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no power cuts
    return trained


@pytest.fixture(name="make")
def _make(make_tuner, plan):
    """Returns a maker of tuners whose search has an end."""
    short = dataclasses.replace(plan, epochs=1)

    def make(project="search", **settings):
        # Four networks; the end measures up to three of them, twice each.
        end = {"rungs": (1, 2), "finals_share": 5.0, "finalists": 2, "steps": 1}
        return make_tuner(project, schedule=short, **(end | settings))

    return make


def _slots(tuner):
    """Returns the slots in the order of their trials."""
    return [durable.values(trial)["slot"] for trial in tuner.oracle.trials.values()]


def _end_of(tuner):
    return [slot for slot in _slots(tuner) if "m" in slot]


def _best(tuner):
    return best_json.read(tuner.work_dir)


def _told(tuner):
    """Returns what must not depend on kills."""
    rows = {row.slot: (row.accuracy, row.wave) for row in trials_csv.read(tuner.work_dir)}
    return rows, storage.read_text(tuner.work_dir.best), storage.names(tuner.work_dir.finals)


def test_the_best_are_measured_again_and_the_winner_is_told(make, data, capsys):
    tuner = make(verbose=1)
    tuner.search(data)
    oracle = tuner.oracle
    lineup = oracle.finals.lineup
    assert _end_of(tuner) == [slot.name for slot in lineup.planned if slot.measurement]
    assert len(_end_of(tuner)) == 2 * len(lineup.networks) in (4, 6)
    assert (oracle.total, oracle.done) == (4, 4)
    assert oracle.search.done
    winner, times = oracle.best()[0], 2
    results = {trial.slot: trial.result for trial in oracle.completed()}
    means = {
        slot: np.mean([results[slot.at(1, again)].accuracy for again in (1, times)])
        for slot in lineup.networks
    }
    assert winner.slot == max(means, key=means.get)
    best = _best(tuner)
    assert (best.slot, best.gain.seeds) == (winner.slot.name, times)
    found = best.gain
    over, slot = lineup.start, next(s for s in means if s.first.name == found.slot)
    assert found.over == over.first.name
    assert found.points == pytest.approx(100 * (means[slot] - means[over]))
    assert found.low < found.points < found.high
    assert (found.basis, found.networks) == ("seeds and images", len(means))
    assert best.gain.start_is_best == (winner.slot == over)
    capsys.readouterr()
    tuner.results_summary()
    said = capsys.readouterr().out
    assert found.sentence in said
    ranks = [line.split()[:2] for line in said.splitlines()]
    assert ["1", winner.slot.name] in ranks
    assert f"{winner.slot.name} {means[winner.slot]:.4f} (2)" in said


def test_a_line_says_that_the_end_has_come(make, data, capsys):
    tuner = make(verbose=1)
    tuner.search(data)
    lines = capsys.readouterr().out.splitlines()
    (at,) = (n for n, line in enumerate(lines) if line.startswith("the end: "))
    lineup = tuner.oracle.finals.lineup
    assert f"(best start: {lineup.start.first.name})" in lines[at]
    assert f"{len(lineup.planned)} trainings" in lines[at]
    assert len([line for line in lines[at + 1 :] if line.startswith("[4/4] ")]) == len(
        lineup.planned
    )


def test_each_measurement_has_a_seed_of_its_own(make, data, trained):
    tuner = make()
    tuner.search(data)
    seeds = {}
    for spec, seed, epochs in trained:
        seeds.setdefault(spec, []).append((seed, epochs))
    for spec in tuner.oracle.finals.lineup.networks.values():
        lowest, highest, *again = seeds[spec]
        assert (lowest[0], highest) == (highest[0], (lowest[0], 2))  # the same at all rungs
        assert [epochs for _, epochs in again] == [2, 2]
        assert len({lowest[0], *(seed for seed, _ in again)}) == 3


def test_a_project_that_is_only_looked_at_says_the_winner_and_replays_nothing(
    make, data, monkeypatch
):
    tuner = make(seed=4)
    tuner.search(data)
    order = [trial.slot for trial in tuner.oracle.best()]
    assert order != [trial.slot for trial in trials.ranked(tuner.oracle.completed())]
    with monkeypatch.context() as patch:
        patch.setattr(Fold, "replay", None)
        assert [trial.slot for trial in make(seed=4).oracle.best()] == order
    storage.write_atomic(tuner.work_dir.best, "torn")
    assert [trial.slot for trial in make(seed=4).oracle.best()] == order


@pytest.mark.parametrize("off", [{"finalists": 0}, {"rungs": (1,)}, {"finals_share": 0.0}])
def test_without_finalists_rungs_or_work_for_it_there_is_no_end(make, data, off):
    tuner = make(**off)
    tuner.search(data)
    assert _end_of(tuner) == []
    assert _best(tuner).gain is None


def test_a_kill_between_any_two_writes_changes_nothing(make, data, die_at, killed):
    clock = die_at(-1)
    whole = make("whole", seed=3)
    whole.search(data)
    writes, expected = clock["writes"], _told(whole)
    assert _best(whole).gain is not None
    first = len(_slots(whole)) - len(whole.oracle.finals.lineup.planned)
    for number in range(writes * first // len(_slots(whole)), writes, 5):  # in the end
        die_at(number)
        with pytest.raises(killed):
            make(f"killed{number}", seed=3).search(data)
        die_at(-1)
        resumed = make(f"killed{number}", seed=3)
        resumed.search(data)
        resumed.oracle.listeners[1].write(resumed.oracle, _best(resumed))
        assert _told(resumed) == expected, f"killed before write {number} of {writes}"


def test_a_search_that_goes_on_takes_what_was_measured(make, data, trained):
    """The end at --max_trials measures what a later step lets rise."""
    sizes = {"steps": 3, "promotion_share": 0.6, "seed": 1}
    pieces = make("pieces", max_trials=4, **sizes)
    pieces.search(data)
    assert pieces.oracle.stopped_by == "max_trials=4"
    early = {t.slot for t in pieces.oracle.completed() if not t.proposal.in_step}
    assert any(not slot.measurement for slot in early)
    gone_on = make("pieces", **sizes)
    gone_on.search(data)
    later = gone_on.oracle.completed()
    taken = {t.slot for t in later if t.assignment.remembered and not t.slot.of_fold}
    assert taken and taken <= early
    assert len(set(trained)) == len(trained)  # nothing was trained twice

    whole = make("whole", **sizes)
    whole.search(data)
    fold = [
        [(t.slot, t.proposal, t.result) for t in tuner.oracle.completed() if t.proposal.in_step]
        for tuner in (gone_on, whole)
    ]
    assert fold[0] == fold[1]  # what stands outside of it changes nothing
    assert _best(gone_on).to_dict() == _best(whole).to_dict()


def test_a_limit_in_hours_keeps_the_time_of_the_end_back(make, data, monkeypatch):
    tuner = make(steps=6, max_hours=1.0, finals_share=0.5)
    oracle = tuner.oracle
    now = [0.0]
    monkeypatch.setattr(run_limits.RunWatch, "elapsed", lambda watch: now[0])

    def ended(oracle, trial):
        now[0] += 300.0  # seconds of a trial, as the clock has it

    monkeypatch.setattr(type(oracle.finals), "minutes", lambda self: 10.0)
    oracle.listeners.append(ended)
    tuner.search(data)
    trials = [oracle.log.assignment(trial) for trial in oracle.trials.values()]
    searching = [a for a in trials if a.proposal.in_step]
    # From minute 50 on no network is searched for, and what is measured has the last ten.
    assert len(searching) == 11
    assert [a.proposal.in_step for a in trials[11:]] == [False] * (len(trials) - 11)
    assert 1 <= len(trials) - 11 <= 2
    assert oracle.stopped_by == "max_hours=1"


def test_not_more_is_kept_back_than_the_share_of_the_run(make, data, monkeypatch):
    tuner = make(max_hours=1.0, finals_share=0.5)
    monkeypatch.setattr(type(tuner.oracle.finals), "minutes", lambda self: 1000.0)
    assert tuner.oracle.finals.kept_back() == pytest.approx(1200.0)
    assert make(max_hours=0.0).oracle.finals.kept_back() == 0.0


def test_the_end_takes_about_as_long_for_its_work_as_the_search_did(make, data):
    tuner = make(finalists=2, max_trials=4, steps=2)
    tuner.search(data)
    oracle = tuner.oracle
    assert oracle.finals.minutes() == 0.0  # all is measured
    fold = [t for t in oracle.completed() if t.proposal.in_step]
    for trial in oracle.completed():
        if not trial.proposal.in_step:
            oracle.trials.pop(trial.trial_id)
    oracle.log._completed.clear()
    rungs = oracle.search.rungs
    work = sum(rungs.work_at(t.proposal.spec, t.slot.rung) for t in fold)
    left = oracle.finals.lineup.lacking({t.slot: t.result for t in fold})
    more = sum(rungs.work_at(p.spec, 1) for p in left)
    taken = sum(t.outcome.seconds + t.outcome.overhead_seconds for t in fold)
    assert oracle.finals.minutes() == pytest.approx(taken / work * more / 60)


def test_a_full_disk_has_no_end(make, data):
    tuner = make(max_disk=1.0)
    tuner.search(data)
    assert (_slots(tuner), tuner.oracle.stopped_by) == ([], "max_disk=1")
    done = make("done")
    done.search(data)
    assert make("done", max_disk=1.0).oracle.finals.ask("max_disk=1", [], done.work_dir.path) == []


def test_a_search_is_finished_where_it_is(make, data):
    make(steps=3, max_trials=4, finals_share=0.0).search(data)
    tuner = make(steps=3, finish=True)
    tuner.search(data)
    assert tuner.oracle.stopped_by == "finish=true"
    assert tuner.oracle.done == 4
    assert _end_of(tuner)
    assert _best(tuner).gain.seeds == 2


def test_the_end_waits_for_the_last_network_of_the_search(make, data):
    """It may be among those that are measured again."""
    tuner = make(max_trials=4, promotion_share=0.0)
    oracle = tuner.oracle
    tuner.session.begin(tuner.plan(data))

    def begun(count):
        return [oracle.create_trial(f"w{n}") for n in range(count)]

    def end(trial):
        uses = resources.uses_of(Cost(400, 6000, 200))
        accuracy = 0.5 + oracle.log.assignment(trial).slot.branch / 10
        outcome = Outcome(accuracy, accuracy, "trained", uses)
        oracle.update_trial(trial.trial_id, outcome.to_metrics())
        trial.status = Status.COMPLETED
        oracle.end_trial(trial)

    for trial in begun(2):
        end(trial)
    first, second, waiting = begun(3)
    assert waiting.status == Status.IDLE
    end(first)
    assert oracle.create_trial("w2").status == Status.IDLE
    end(second)
    measuring = begun(3)
    assert [durable.values(each)["slot"] for each in measuring] == [
        slot.name for slot in oracle.finals.lineup.planned[:3]
    ]
    for trial in measuring:
        end(trial)
    while (trial := oracle.create_trial("w0")).status == Status.RUNNING:
        end(trial)
    assert trial.status == Status.STOPPED
    assert {t.slot for t in oracle.completed()} >= set(oracle.finals.lineup.planned)


def test_weights_are_kept_of_whoever_may_win(make, data, monkeypatch):
    monkeypatch.setattr("epnas_tf.workdir.weights.write", lambda network, path: None)
    tuner = make(keep_models=1)
    tuner.search(data)
    kept = tuner._writer._kept(tuner.oracle, [t.slot.name for t in tuner.oracle.best()])
    assert {slot.name for slot in tuner.oracle.finals.lineup.networks} <= kept
    assert not any("m" in name for name in kept)


@pytest.mark.parametrize("how", ["lost", "another's", "torn"])
def test_hits_that_are_lost_leave_the_seeds_alone(make, data, how):
    tuner = make()
    tuner.search(data)
    (slot, *_) = _end_of(tuner)
    path = tuner.work_dir.hits(slot)
    assert _best(tuner).gain.basis == "seeds and images"
    if how == "lost":
        storage.remove(path)
    elif how == "torn":
        storage.write_atomic(path, storage.read_bytes(path)[:50])
    else:
        hits_file.write(tuner.work_dir, slot, np.zeros(len(data.validation), bool))
    again = make()
    again.search(data)
    assert _best(again).gain.basis == "seeds"
    assert "95% of the seeds alone" in _best(again).gain.sentence


def test_a_new_search_deletes_the_hits_of_the_old(make, data):
    make().search(data)
    folder = WorkDir(make().work_dir.path).finals
    storage.write_atomic(os.path.join(folder, "mine.npz"), b"")
    assert len(os.listdir(folder)) > 4
    make(overwrite=True)
    assert os.listdir(folder) == ["mine.npz"]


def test_a_measurement_that_fails_ends_no_search(make, data, monkeypatch):
    real = Evaluator.evaluate

    def evaluate(self, spec, seed, keep=None, epochs=1, **more):
        again = any(
            "m" in durable.values(trial)["slot"] for trial in tuner.oracle.ongoing_trials.values()
        )
        if again:
            return self.untrained(spec, "not_finite")
        return real(self, spec, seed, keep, epochs, **more)

    tuner = make()
    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    tuner.search(data)
    assert [t.outcome.status for t in tuner.oracle.completed() if t.slot.measurement] == [
        "not_finite"
    ] * len(tuner.oracle.finals.lineup.networks)
    assert _best(tuner).gain is None
    assert json.loads(storage.read_text(tuner.work_dir.best))["rung"] == 1
