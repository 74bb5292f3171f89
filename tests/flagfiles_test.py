"""Shipped flagfiles: which command offers which."""

from epnas_tf import flagfiles


def test_presets_and_recipes_are_told_apart(tmp_path, monkeypatch):
    for name in ("small", "retrain_long", "retrain_fast"):
        (tmp_path / f"{name}.flags").write_text("--seed=1\n")
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.setattr(flagfiles, "_folder", lambda: tmp_path)
    assert flagfiles.presets() == ["small"]
    assert flagfiles.recipes() == ["fast", "long"]
    assert flagfiles.preset_file("small") == tmp_path / "small.flags"
    assert flagfiles.recipe_file("fast") == tmp_path / "retrain_fast.flags"


def test_what_is_shipped_is_there():
    assert {"short", "default", "pnas_cifar", "imagenet"} <= set(flagfiles.recipes())
    assert "digits_quickstart" in flagfiles.presets()
