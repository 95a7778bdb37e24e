"""One list of all kinds: merged by place, those with most to mend first, no more than asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_xseg.review.suspects.places import CELL, measure, unsure_places
from napari_xseg.review.suspects.ranking import Strongest, expected_wrong, rank
from napari_xseg.review.suspects.sizes import learn_sizes
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects


def row(kind: str, strength: float, box: tuple[int, int, int, int], z: int = 0) -> np.ndarray:
    found = np.zeros(1, ROW)
    found["kind"], found["kinds"] = KINDS.index(kind), 1 << KINDS.index(kind)  # type: ignore[arg-type]
    found["strength"], found["z"] = strength, z
    found["y0"], found["y1"], found["x0"], found["x1"] = box
    found["pixels"] = (box[1] - box[0]) * (box[3] - box[2])
    return found


def test_what_most_pixels_are_probably_wrong_in_comes_first() -> None:
    small, large = row("hole", 0.7, (0, 4, 0, 4)), row("flips", 0.4, (20, 30, 20, 30))
    assert rank(np.concatenate([small, large]))["kind"].tolist() == [1, 5]


def test_one_place_stands_once_and_names_all_its_kinds(table: Any) -> None:
    rows = [
        row("confidence", 0.3, (0, 10, 0, 10)),
        row("flips", 0.9, (2, 8, 2, 8)),
        row("hole", 0.9, (8, 12, 0, 10)),
        row("models", 0.1, (0, 10, 0, 10), z=1),
    ]
    first, second, third = Suspects(table, rank(np.concatenate(rows)))
    assert (first.kind, first.kinds) == ("hole", ("confidence", "hole"))
    assert (second.kind, second.kinds) == ("flips", ("flips",))
    assert (third.z, third.kinds) == (1, ("models",))


def test_boxes_that_hardly_touch_are_two_places() -> None:
    rows = [row("confidence", 0.3, (0, 10, 0, 10)), row("flips", 0.9, (6, 16, 0, 10))]
    assert len(rank(np.concatenate(rows))) == 2


def test_a_whole_slice_swallows_nothing_and_counts_as_one_place() -> None:
    rows = np.concatenate([row("drift", 0.1, (0, 500, 0, 500)), row("hole", 0.7, (0, 16, 0, 16))])
    ranked = rank(rows)
    assert ranked["kind"].tolist() == [KINDS.index("hole"), KINDS.index("drift")]
    assert expected_wrong(ranked)[1] == pytest.approx(0.1 * CELL**2)


def test_the_strongest_are_kept_in_bounded_memory() -> None:
    random = np.random.default_rng(0)
    strongest = Strongest(10)
    drawn = random.permutation(np.linspace(0.1, 0.9, 500))
    for place, strength in enumerate(drawn):
        strongest.add(row("hole", float(strength), (0, 5, 9 * place, 9 * place + 5)))
        assert sum(map(len, strongest._rows)) <= 20
    kept = strongest.ranked()["strength"]
    assert kept == pytest.approx(np.sort(drawn)[::-1][:10])
    assert strongest.dropped == 490


def test_many_at_once_are_cut_before_they_are_held() -> None:
    strongest = Strongest(3)
    strongest.add(np.concatenate([row("hole", 0.5, (0, 5, x, x + 5)) for x in range(0, 90, 9)]))
    assert sum(map(len, strongest._rows)) == 3


def test_what_is_left_out_is_told_by_kind_and_no_place_loses_a_kind() -> None:
    strongest = Strongest(2)
    strongest.add(
        np.concatenate(
            [
                row("confidence", 0.5, (0, 10, 0, 10)),
                row("models", 0.1, (1, 9, 1, 9)),
                row("flips", 0.4, (50, 60, 0, 10)),
                row("hole", 0.2, (80, 90, 0, 10)),
                row("neighbours", 0.1, (80, 90, 1, 10)),
            ]
        )
    )
    bits = [1 << KINDS.index("confidence") | 1 << KINDS.index("models"), 1 << KINDS.index("flips")]
    assert strongest.ranked()["kinds"].tolist() == bits
    assert strongest.dropped == 1
    named = {KINDS[place] for place in np.flatnonzero(strongest.dropped_of)}
    assert named == {"hole", "neighbours"}


def test_a_line_of_unsure_pixels_is_a_border_and_no_place() -> None:
    chance, mask = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.uint8)
    chance[:, 30] = 0.5
    assert not len(unsure_places("confidence", 0, chance, mask))
    chance[20:26, 28:34] = 0.5
    (found,) = unsure_places("confidence", 0, chance, mask)
    assert (found["y0"], found["y1"]) == (18, 28)


def test_large_places_are_cut_to_what_is_seen_at_one_glance() -> None:
    chance, mask = np.full((100, 70), 0.4, np.float32), np.ones((100, 70), np.uint8)
    rows = unsure_places("confidence", 2, chance, mask)
    assert rows["pixels"].sum() == 7000
    assert (rows["y1"] - rows["y0"]).max() <= CELL
    assert (rows["x1"] - rows["x0"]).max() <= CELL
    assert rows["strength"] == pytest.approx(0.4)


def test_regions_know_the_classes_in_them() -> None:
    numbers = np.zeros((6, 9), np.int64)
    numbers[1:4, 1:5], numbers[4:6, 6:9] = 7, 3
    mask = np.full((6, 9), 255, np.uint8)
    mask[1:4, 1:4], mask[1:4, 4:5] = 2, 1
    chance = np.full((6, 9), 0.5, np.float32)
    rows = measure("confidence", 0, numbers, chance, mask)
    assert rows["found"].tolist() == [255, 2]
    assert rows["other"].tolist() == [255, 1]
    assert rows["pixels"].tolist() == [6, 12]
    assert (rows["y"][1], rows["x"][1]) == (2, 2.5)


def test_sizes_of_a_class_are_learnt_from_its_pieces() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[10:110, 10:110] = 1
    mask[150:152, 150:152] = 1
    mask[160, 160] = 1
    limits = learn_sizes([mask], 3)
    assert limits.tolist() == [30000 - 5, 10000, 0]
    mask[170:175, 150:155] = 1
    assert learn_sizes([mask], 3)[1] == 25


def test_many_speckles_do_not_make_speckles_usual() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[:, :300] = 1
    mask[::4, 302::4] = 1
    assert learn_sizes([mask], 2)[1] == 120
