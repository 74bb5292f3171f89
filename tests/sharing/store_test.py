"""The dictionary's files: generations, what is refused, what stays on disk; on a disk and ram://."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from epnas_tf.sharing.rules import Entry, Run, Values, shapes_of
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.workdir import storage


@pytest.fixture(params=["disk", "ram"])
def folder(request, tmp_path):
    return f"{tmp_path}/shared" if request.param == "disk" else f"ram://{tmp_path.name}/shared"


def _block(
    label: str, source: str, accuracy: float, channels: int = 4, seed: int = 0
) -> tuple[Entry, Values]:
    rng = np.random.default_rng(seed)
    values = {
        "conv": {"kernel": rng.normal(size=(3, 3, 2, channels)).astype(np.float32)},
        "bn": {"gamma": rng.normal(size=channels).astype(np.float32)},
    }
    return Entry(label, source, accuracy, shapes_of(values), {"conv": (Run("image", 2),)}), values


def _bare(source: str, accuracy: float) -> tuple[Entry, Values]:
    runs = {"main": (Run("a/conv", 4),), "skip": (Run("stem/conv", 4),)}
    return Entry("layer2_skip", source, accuracy, {}, runs), {}


def _put(store: ParamStore, source: str, accuracy: float, *labels: str, channels: int = 4) -> Offer:
    blocks = [_block(label, source, accuracy, channels, i) for i, label in enumerate(labels)]
    return store.offer(source, blocks)


def _files(folder: str) -> set[str]:
    return set(storage.names(folder))


def _sources(store: ParamStore) -> dict[str, str]:
    return {entry.label: entry.source for entry in store.entries}


def test_what_is_offered_is_found_again(folder):
    store = ParamStore(folder)
    assert (store.generation, store.entries, _files(folder)) == (0, [], set())
    blocks = [_block("a", "t1", 0.5), _block("b", "t1", 0.5, seed=1), _bare("t1", 0.5)]
    offer = store.offer("t1-1", blocks)
    assert store.holds(offer)
    assert not store.holds(Offer("t1-1", offer.digest + 1))
    store.commit(1, [offer])
    for found in (store, ParamStore(folder)):
        assert found.generation == 1
        assert found.entries == [entry for entry, _ in blocks]
        for entry, values in blocks:
            loaded = found.load(entry)
            assert shapes_of(loaded) == entry.shapes
            assert all((loaded[r][n] == v).all() for r, vs in values.items() for n, v in vs.items())


def test_an_offer_changes_nothing_until_it_is_committed(folder):
    store = ParamStore(folder)
    store.commit(1, [_put(store, "t1", 0.5, "a")])
    (old,) = store.entries
    better = _put(store, "t2", 0.75, "a")
    for reader in (store, ParamStore(folder)):
        assert (reader.generation, reader.entries) == (1, [old])
        assert reader.load(old)["conv"]["kernel"].shape == (3, 3, 2, 4)
    late = ParamStore(folder)
    store.commit(2, [better])
    assert _sources(store) == {"a": "t2"}
    assert _sources(late) == {"a": "t1"}  # as it stood when it was opened
    late.reload()
    assert (late.generation, _sources(late)) == (2, {"a": "t2"})


def test_only_what_the_index_names_stays(folder):
    store = ParamStore(folder)
    first = _put(store, "t1", 0.5, "a", "b")
    lost = _put(store, "t2", 0.25, "a")  # loses every clash
    retried = _put(store, "t3", 0.9, "a")  # of a trial that is run again
    store.commit(1, [first, lost])
    assert not store.holds(retried)
    assert _files(folder) == {"index.json", first.file}
    second = _put(store, "t4", 0.75, "a")
    store.commit(2, [second])  # b is still the first source's
    assert _files(folder) == {"index.json", first.file, second.file}
    third = _put(store, "t5", 0.75, "b")
    store.commit(3, [third])
    assert _files(folder) == {"index.json", second.file, third.file}
    assert _sources(store) == {"a": "t4", "b": "t5"}


def test_a_commit_that_was_made_is_not_made_again(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    store.commit(1, [offer])
    index = storage.read_text(f"{folder}/index.json")
    for again in (store, ParamStore(folder)):
        again.commit(1, [offer])
        again.commit(1, [Offer("never-there", 7)])
        again.commit(0, [])
        assert again.generation == 1
    assert storage.read_text(f"{folder}/index.json") == index


def test_a_step_without_offers_is_a_generation_too(folder):
    store = ParamStore(folder)
    store.commit(1, [])
    assert ParamStore(folder).generation == 1


def test_a_commit_that_was_cut_off_is_made_whole(folder, monkeypatch):
    store = ParamStore(folder)
    offers = [_put(store, "t1", 0.5, "a"), _put(store, "t2", 0.75, "a")]

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "remove", killed)
        store.commit(1, offers)
    opened = ParamStore(folder)
    assert (opened.generation, _sources(opened)) == (1, {"a": "t2"})
    opened._prune()
    assert _files(folder) == {"index.json", offers[1].file}


def test_order_decides_between_equals(folder):
    store = ParamStore(folder)
    offers = [_put(store, name, 0.5, "a") for name in ("t2", "t1")]
    store.commit(1, offers)
    assert _sources(store) == {"a": "t2"}


def test_a_generation_is_not_left_out(folder):
    store = ParamStore(folder)
    with pytest.raises(ValueError, match="generation 1 must come next, got 2"):
        store.commit(2, [])


# What is refused


def _spoil(folder: str, offer: Offer, content: bytes) -> None:
    storage.write_atomic(f"{folder}/{offer.file}", content)


def _arrays(offer_file: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(offer_file), allow_pickle=False) as archive:
        return dict(archive)


def _rewritten(
    folder: str, offer: Offer, change: Callable[[dict[str, Any]], None]
) -> tuple[Offer, bytes]:
    """Returns an offer whose name fits its content, which is another's after a change."""
    arrays: dict[str, Any] = _arrays(storage.read_bytes(f"{folder}/{offer.file}"))
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    return Offer(offer.name, int(hashlib.sha256(content).hexdigest()[:13], 16)), content


def test_a_missing_file_is_named(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    storage.remove(f"{folder}/{offer.file}")
    with pytest.raises(ValueError, match=f"{offer.file} .* is missing"):
        store.commit(1, [offer])
    assert (store.generation, ParamStore(folder).generation) == (0, 0)
    _put(store, "t1", 0.5, "a")
    store.commit(1, [offer])
    storage.remove(f"{folder}/{offer.file}")
    with pytest.raises(ValueError, match=f"{offer.file} .* is missing"):
        store.load(store.entries[0])


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_a_corrupt_file_is_named(folder, part):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    content = storage.read_bytes(f"{folder}/{offer.file}")
    _spoil(folder, offer, content[: int(part * len(content))])
    with pytest.raises(ValueError, match=f"{offer.file} .* is corrupt or not written by"):
        store.commit(1, [offer])
    _spoil(folder, offer, content)
    store.commit(1, [offer])
    _spoil(folder, offer, content[:-1])
    with pytest.raises(ValueError, match=f"{offer.file} .* is corrupt or not written by"):
        store.load(store.entries[0])


@pytest.mark.parametrize("content", [b"", b"something else", b"\x93NUMPY"])
def test_a_file_of_something_else_is_named(folder, content):
    store = ParamStore(folder)
    offer = Offer("t1-1", int(hashlib.sha256(content).hexdigest()[:13], 16))
    _spoil(folder, offer, content)
    with pytest.raises(ValueError, match=f"{offer.file} holds no shared parameters"):
        store.commit(1, [offer])


def test_another_programs_archive_is_named(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    other, content = _rewritten(folder, offer, lambda arrays: arrays.pop("entries.json"))
    _spoil(folder, other, content)
    with pytest.raises(ValueError, match=f"{other.file} holds no shared parameters: KeyError"):
        store.commit(1, [other])


class _Bomb:
    """Fails the test where it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("was unpickled",))


@pytest.mark.parametrize("member", ["entries.json", "a|conv|kernel"])
def test_what_is_pickled_is_refused(folder, member):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    bomb = np.array([_Bomb()], dtype=object)
    pickled, content = _rewritten(folder, offer, lambda arrays: arrays.update({member: bomb}))
    _spoil(folder, pickled, content)
    with pytest.raises(ValueError, match=rf"{pickled.file} holds no .* allow_pickle=False"):
        store.commit(1, [pickled])
        store.load(store.entries[0])


def test_a_value_of_another_shape_is_named(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    kernel = "a|conv|kernel"
    wrong, content = _rewritten(folder, offer, lambda v: v.update({kernel: v[kernel][:1]}))
    _spoil(folder, wrong, content)
    store.commit(1, [wrong])
    with pytest.raises(ValueError, match=r"a 3x3x2x4 conv kernel must be \(3, 3, 2, 4\), got \(1,"):
        store.load(store.entries[0])


def test_a_value_that_is_not_there_is_named(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    gone, content = _rewritten(folder, offer, lambda v: v.pop("a|bn|gamma"))
    _spoil(folder, gone, content)
    store.commit(1, [gone])
    with pytest.raises(ValueError, match=r"a 3x3x2x4 bn gamma must be \(4,\), got None"):
        store.load(store.entries[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"generation": 1, "sizes": {}, "entries": [{}]}',
        '{"generation": 1, "sizes": [], "entries": []}',
        '{"generation": "one", "sizes": {}, "entries": []}',
        f'{{"generation": 1{"0" * 400}, "sizes": {{}}, "entries": []}}',
        '{"generation": -1, "sizes": {}, "entries": []}',
        '{"generation": 1, "sizes": {"../../x-0123456789abc.npz": 1}, "entries": []}',
        f'{{"generation": 1, "sizes": {{"{"x" * 300}-0123456789abc.npz": 1}}, "entries": []}}',
        '{"generation": 1, "sizes": {"x-0123456789abc.npz": 0.5}, "entries": []}',
        "[" * 100_000,
    ],
)
def test_a_broken_index_is_named(folder, text):
    storage.write_atomic(f"{folder}/index.json", text)
    with pytest.raises(ValueError, match=r"index\.json is not an index of shared parameters"):
        ParamStore(folder)


def _archive(name: str, content: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def _array(head: bytes) -> bytes:
    return b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head


_HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }\n"


@pytest.mark.parametrize(
    "content",
    [
        _archive("entries.json.npy", _array(_HUGE)),
        _archive("entries.json.npy", _array(b"{'descr': " + b"(" * 9000)),
        _archive("entries.json.npy", _array(b"{'descr': " + b"-" * 9000 + b"1")),
        _archive("entries.json.npy", _array(b"{'descr':\n '")),
        _archive("entries.json", b"[]"),  # bytes, no array
        _archive("entries.json.npy", b"x" * 999, zipfile.ZIP_LZMA).replace(
            b"\x5d\0\0", b"\xff" * 3
        ),
    ],
)
def test_an_archive_of_what_is_no_array_is_named(folder, content):
    store = ParamStore(folder)
    offer = Offer("t1-1", int(hashlib.sha256(content).hexdigest()[:13], 16))
    _spoil(folder, offer, content)
    with pytest.raises(ValueError, match=f"{offer.file} holds no shared parameters"):
        store.commit(1, [offer])


@pytest.mark.parametrize(
    "kernel", [np.zeros((3, 3, 2, 4), "<U1"), np.zeros((3, 3, 2, 4), "<M8[s]")]
)
def test_values_that_are_no_numbers_are_refused(folder, kernel):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    changed, content = _rewritten(folder, offer, lambda a: a.update({"a|conv|kernel": kernel}))
    _spoil(folder, changed, content)
    store.commit(1, [changed])
    with pytest.raises(ValueError, match="kernel must be numbers"):
        store.load(store.entries[0])


def test_a_value_that_is_no_array_is_named(folder):
    store = ParamStore(folder)
    offer = _put(store, "t1", 0.5, "a")
    content = storage.read_bytes(f"{folder}/{offer.file}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"no array" if "kernel" in name else old.read(name))
    changed = Offer("t1", int(hashlib.sha256(buffer.getvalue()).hexdigest()[:13], 16))
    _spoil(folder, changed, buffer.getvalue())
    store.commit(1, [changed])
    with pytest.raises(ValueError, match="kernel must be"):
        store.load(store.entries[0])


# Files


def test_files_are_read_by_hand(folder):
    store = ParamStore(folder)
    block = _block("a", "t1", 0.5)
    offer = store.offer("e01s02b3-1", [block, _bare("t1", 0.5)])
    assert offer.file.startswith("e01s02b3-1-")
    assert offer.digest == int(float(offer.digest)) < 2**52  # metrics are floats
    store.commit(1, [offer])
    arrays = _arrays(storage.read_bytes(f"{folder}/{offer.file}"))
    assert set(arrays) == {"a|conv|kernel", "a|bn|gamma", "entries.json"}
    assert (arrays["a|conv|kernel"] == block[1]["conv"]["kernel"]).all()
    assert [e["label"] for e in json.loads(arrays["entries.json"].tobytes())] == [
        "a",
        "layer2_skip",
    ]
    index = json.loads(storage.read_text(f"{folder}/index.json"))
    assert index["generation"] == 1
    assert index["sizes"] == {offer.file: len(storage.read_bytes(f"{folder}/{offer.file}"))}
    assert index["entries"][0] == {"file": offer.file} | block[0].to_dict()


def test_the_same_offer_has_the_same_name(folder):
    store = ParamStore(folder)
    first = _put(store, "t1", 0.5, "a", "b")
    content = storage.read_bytes(f"{folder}/{first.file}")
    assert _put(ParamStore(folder), "t1", 0.5, "a", "b") == first
    assert storage.read_bytes(f"{folder}/{first.file}") == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # no time of day is in it
        assert {item.date_time[0] for item in archive.infolist()} == {1980}
    assert _put(store, "t1", 0.75, "a", "b").digest != first.digest
    assert _put(store, "t1", 0.5, "b", "a").digest != first.digest


def test_the_least_accurate_go_where_room_is_short(folder):
    elsewhere = f"{folder}/elsewhere"
    size = len(storage.read_bytes(f"{elsewhere}/{_put(ParamStore(elsewhere), 't', 0.5, 'a').file}"))
    store = ParamStore(folder, max_bytes=2.5 * size)
    offers = [_put(store, f"t{i}", i / 10, f"layer{i}") for i in (3, 1, 2)]
    store.commit(1, offers)
    assert _sources(store) == {"layer3": "t3", "layer2": "t2"}
    assert _files(folder) == {"index.json", "elsewhere", offers[0].file, offers[2].file}
    store.commit(2, [_put(store, "t4", 0.15, "layer4")])
    assert set(_sources(store)) == {"layer3", "layer2"}
    store.commit(3, [_put(store, "t5", 0.25, "layer5")])
    assert set(_sources(ParamStore(folder))) == {"layer3", "layer5"}
    for entry in store.entries:
        assert shapes_of(store.load(entry)) == entry.shapes


def test_a_skip_without_parameters_goes_with_its_source(folder):
    store = ParamStore(folder)
    first = store.offer("t1", [_bare("t1", 0.5), _block("layer1", "t1", 0.5)])
    store.commit(1, [first])
    assert _sources(store) == {"layer2_skip": "t1", "layer1": "t1"}
    store.commit(2, [_put(store, "t2", 0.75, "layer1")])
    assert _sources(store) == {"layer1": "t2"}


def test_without_room_nothing_is_kept(folder):
    store = ParamStore(folder, max_bytes=1)
    store.commit(1, [_put(store, "t1", 0.5, "a")])
    assert (store.entries, _files(folder)) == ([], {"index.json"})
