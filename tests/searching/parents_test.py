"""Which networks a step and an episode start from (DECISIONS 7, 8 and 10)."""

from __future__ import annotations

from epnas_tf.searching.trials import Result, Slot

# Within an episode


def test_a_trained_child_is_the_next_parent_of_its_branch_even_where_it_is_worse(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", episodes=1, steps=2)
    search.reward(0.9, 0.5)
    search.reward(0.1, 0.6)
    assert search.parents() == ["e01s01b0", "e01s01b1"]
    assert search.asked() == ["16.16.64", "32.16.64"]


def test_an_untrained_child_is_never_a_parent(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", "+96 +96", episodes=1, steps=3)
    search.reward(0.5, 0.5)
    search.reward(None, 0.5)
    assert search.parents() == ["e01s00b0", "e01s01b1"]
    assert search.asked() == ["16.64", "32.16.64"]
    search.reward(None, 0.5)
    assert search.parents() == ["e01s00b0", "e01s02b1"]
    assert search.asked() == ["16.96", "32.16.64.96"]


def test_an_untrained_child_is_learned_from(scripted):
    search = scripted("16 32", "+16 +16", episodes=1, steps=1)
    search.reward(0.5, 0.5)
    search.reward(None, 0.3)
    # Rewards 0.1 and 0.3: 0.1 either side of the mean, over the deviation 0.1 + 0.001.
    assert search.tape[-1] == ("update", ("16", -0.9901), ("32", 0.9901))


def test_an_untrained_starting_network_gives_way_to_the_best(scripted):
    search = scripted("16 32 64 96", "+16 +16 +16 +16", episodes=1, steps=1)
    search.reward(None, 0.5, 0.7, None)
    assert search.parents() == ["e01s00b2", "e01s00b1", "e01s00b2", "e01s00b2"]
    assert search.asked() == ["64.16", "32.16", "64.16", "64.16"]


def test_the_search_goes_on_where_all_starting_networks_failed(scripted):
    search = scripted("16 32", "+16 +32", episodes=2, steps=1)
    search.reward(None, None)
    assert set(search.parents()) <= {"e01s00b0", "e01s00b1"}
    search.reward(None, 0.5)
    # The only trained network starts the next episode everywhere.
    assert search.parents() == ["e01s01b1", "e01s01b1"]


def test_the_search_goes_on_where_everything_failed(scripted):
    search = scripted("16 32", episodes=2, steps=2)
    for _ in range(5):
        assert set(search.parents()) <= {None, "e01s00b0", "e01s00b1"}
        search.reward(None, None)
    assert search.done
    assert search.best() == []


def test_starting_networks_are_nothing_to_learn_from(scripted):
    search = scripted("16 32", episodes=1, steps=1)
    search.reward(0.0, 1.0)
    search.reward(0.5, 0.5)
    assert search.tape[-1] == ("update", ("16", 0.0), ("32", 0.0))


# From episode to episode


def test_rank_i_of_an_episode_starts_the_next_in_branch_i(scripted):
    search = scripted("16 32 64", "+16 +16 +16", "+32 +32 +32", episodes=2, steps=2)
    search.reward(0.1, 0.2, 0.3)
    search.reward(0.7, 0.9, 0.6)
    search.reward(0.8, 0.5, 0.4)
    assert search.parents() == ["e01s01b1", "e01s02b0", "e01s01b0"]
    assert search.asked() == ["32.16", "16.16.32", "16.16"]


def test_a_feasible_network_starts_before_a_better_one(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.9, 0.8, feasible=False)
    search.tell([Result(Slot(1, 1, 0), 0.2), Result(Slot(1, 1, 1), 0.95, feasible=False)])
    assert search.parents() == ["e01s01b0", "e01s01b1"]


def test_an_untrained_network_starts_no_episode(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.01, 0.02)
    search.reward(None, 0.05)  # its penalised reward, 0.1, would be the best
    assert search.parents() == ["e01s01b1", "e01s00b1"]


def test_starting_networks_may_stay_the_best(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", episodes=3, steps=1)
    search.reward(0.8, 0.9)
    search.reward(0.3, 0.85)
    assert search.parents() == ["e01s00b1", "e01s01b1"]
    search.reward(0.1, 0.2)
    assert search.parents() == ["e01s00b1", "e01s01b1"]


def test_of_equals_the_earlier_slot_starts(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.5, 0.5)
    search.reward(0.5, 0.5)
    assert search.parents() == ["e01s00b0", "e01s00b1"]


def test_a_network_starts_once_and_too_few_repeat_from_the_best(scripted):
    search = scripted("16 16 16 16", "+32 +32 +32 =", episodes=2, steps=1)
    search.reward(0.5, 0.6, 0.4, 0.3)
    search.reward(0.7, 0.9, 0.8, 0.55)
    # 16.32 at its best, 0.9, and 16 at its best, 0.6: two networks for four branches.
    assert search.parents() == ["e01s01b1", "e01s00b1", "e01s01b1", "e01s00b1"]


def test_repeats_begin_again_with_rank_0(scripted):
    search = scripted("16 32 16 16", "= = = +64", episodes=2, steps=1)
    search.reward(0.9, 0.8, 0.1, 0.1)
    search.reward(0.2, 0.2, 0.2, 0.7)
    assert search.parents() == ["e01s00b0", "e01s00b1", "e01s01b3", "e01s00b0"]


# The best of all


def test_the_best_are_those_of_all_trials_in_the_same_order(scripted):
    search = scripted("16 32 64", "+16 +16 +16", episodes=1, steps=1)
    search.reward(0.5, 0.9, None)
    search.tell([Result(Slot(1, 1, 0), 0.95, feasible=False), Result(Slot(1, 1, 2), 0.6)])
    names = [trial.slot.name for trial in search.best(10)]
    assert names == ["e01s00b1", "e01s01b2", "e01s00b0", "e01s01b0"]
    assert [trial.slot.name for trial in search.best()] == ["e01s00b1"]
    assert [trial.slot.name for trial in search.best(2)] == names[:2]


def test_before_the_first_result_nothing_is_the_best(scripted):
    assert scripted("16 32", episodes=1, steps=1).best(3) == []
