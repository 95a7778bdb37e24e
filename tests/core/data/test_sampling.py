from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_xseg.config import AugmentConfig, TrainConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.data.labels import LabelVolume
from napari_xseg.data.partition import Split
from napari_xseg.data.region import Box
from napari_xseg.data.sampling import Crop, CropSampler, LabelledSlices
from napari_xseg.data.volume import volume_from_array
from napari_xseg.errors import XsegError

PLENTY = 1 << 24
PLAIN = AugmentConfig(turns=False, reverse_context=False)
ALL = AugmentConfig(turns=True, reverse_context=True)
# Normalised values are the counts themselves.
COUNTS = Intensity(0.0, 1.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "uint16")
UNLABELLED = 9


@dataclass
class Scene:
    """Images that tell where each pixel is: 1000 z + 100 class + 1, unlabelled as class 9."""

    labels: np.ndarray
    context: int = 0
    region: Any = None
    holes: np.ndarray | None = None

    def images(self) -> np.ndarray:
        z = np.arange(len(self.labels))[:, None, None]
        images = 1000 * z + 100 * self.labels.astype(int) + 1
        if self.holes is None:
            return images.astype(np.uint16)
        return np.where(self.holes, np.nan, images).astype(np.float32)

    def data(self) -> LabelledSlices:
        classes = ClassTable.from_values([0, 1, 2], unlabelled=UNLABELLED)
        return LabelledSlices(
            volume_from_array(self.images()),
            LabelVolume(volume_from_array(self.labels, meaning="labels"), classes),
            {z: z for z in range(len(self.labels))},
            self.region,
            COUNTS,
            self.context,
            PLENTY,
        )

    def sampler(
        self,
        size: int | tuple[int, int],
        slices: tuple[int, ...] | None = None,
        margin: int = 0,
        seed: int = 0,
        **config: Any,
    ) -> CropSampler:
        square = (size, size) if isinstance(size, int) else size
        settings_ = {"crop": max(square), "augment": PLAIN, **config}
        if settings_["crop"] is not None:
            settings_["crop"] = max(8, settings_["crop"])
        return CropSampler(
            self.data(),
            range(len(self.labels)) if slices is None else slices,
            square,
            margin,
            TrainConfig(**settings_),
            seed=seed,
        )


def dense(shape: tuple[int, int, int] = (3, 20, 24), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint8)


def scribbled(share: float = 0.02, shape: tuple[int, int, int] = (3, 60, 50)) -> np.ndarray:
    rng = np.random.default_rng(1)
    labels = dense(shape)
    labels[rng.random(shape) > share] = UNLABELLED
    return labels


def cut(sampler: CropSampler, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    channels = 2 * sampler.data.reader.context + 1
    image = np.full((channels, *sampler.window), np.nan, np.float32)
    truth = np.full(sampler.size, -1, np.int64)
    sampler.cut(crop, image, truth)
    return image, truth


def decoded(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give z and class index that the pixels tell."""
    found = image.astype(int)
    assert (found % 100 == 1).all()
    index = found % 1000 // 100
    return found // 1000, np.where(index == UNLABELLED, 255, index)


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    margin=st.integers(0, 12),
    context=st.integers(0, 2),
    augment=st.sampled_from([PLAIN, ALL]),
    square=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=150)
def test_image_and_truth_lie_on_each_other(
    height: int,
    width: int,
    size: tuple[int, int],
    margin: int,
    context: int,
    augment: AugmentConfig,
    square: bool,
    seed: int,
) -> None:
    scene = Scene(dense((4, height, width), seed), context)
    size = (size[0], size[0]) if square else size
    sampler = scene.sampler(size, margin=margin, seed=seed, augment=augment)
    for _ in range(3):
        crop = sampler.draw()
        image, truth = cut(sampler, crop)
        z, index = decoded(image)
        expected = [min(max(crop.z + offset, 0), 3) for offset in range(-context, context + 1)]
        expected = expected[::-1] if crop.reverse else expected
        assert (z == np.array(expected)[:, None, None]).all()
        inner = index[context, margin : margin + size[0], margin : margin + size[1]]
        known = truth != 255
        np.testing.assert_array_equal(truth[known], inner[known])
        # all of the slice that lies in the crop is learnt from, and nothing else
        assert known.sum() == min(size[0], height) * min(size[1], width)


@given(turn=st.integers(0, 3), mirror=st.booleans(), top=st.integers(0, 9), left=st.integers(0, 9))
def test_a_crop_is_a_part_of_the_mirrored_slice(
    turn: int, mirror: bool, top: int, left: int
) -> None:
    sampler = Scene(dense((1, 20, 21))).sampler(11, margin=5)
    image, truth = cut(sampler, Crop(0, False, top, left, turn, mirror))
    padded = np.pad(sampler.data.reader.plane(0), 5, mode="reflect")
    part = np.rot90(padded[top : top + 21, left : left + 21], turn)
    np.testing.assert_array_equal(image[0], part[:, ::-1] if mirror else part)
    part = np.rot90(sampler.data.truth(0)[top : top + 11, left : left + 11], turn)
    np.testing.assert_array_equal(truth, part[:, ::-1] if mirror else part)


def test_all_turns_come() -> None:
    sampler = Scene(dense(), context=1).sampler(8, augment=ALL)
    drawn = [sampler.draw() for _ in range(600)]
    seen = Counter((crop.turn, crop.mirror, crop.reverse) for crop in drawn)
    assert len(seen) == 16
    assert min(seen.values()) > 15
    still = Scene(dense(), context=1).sampler(8)
    assert {(c.turn, c.mirror, c.reverse) for c in (still.draw() for _ in range(50))} == {
        (0, False, False)
    }


def test_a_slice_that_is_not_square_is_not_turned() -> None:
    sampler = Scene(dense()).sampler((20, 24), crop=None, augment=ALL)
    images, truth = sampler.batch(6)
    assert images.shape == (6, 1, 20, 24)
    assert (truth != 255).all()


def test_crops_lie_everywhere() -> None:
    sampler = Scene(dense((1, 12, 10))).sampler(4)
    places = Counter((c.top, c.left) for c in (sampler.draw() for _ in range(2000)))
    assert len(places) == 9 * 7
    assert min(places.values()) > 10


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.3])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_every_crop_of_scribbles_holds_labelled_pixels(share: float, balance: float) -> None:
    labels = scribbled(share)
    labels[:, 3, 4] = 1
    sampler = Scene(labels).sampler(9, balance=balance, augment=ALL)
    _, truth = sampler.batch(300)
    assert (truth != 255).any(axis=(1, 2)).all()


def test_every_labelled_pixel_may_come() -> None:
    labels = np.full((2, 40, 40), UNLABELLED, np.uint8)
    for z, y, x, index in [(0, 0, 0, 0), (0, 39, 39, 1), (1, 0, 39, 2), (1, 20, 20, 0)]:
        labels[z, y, x] = index
    sampler = Scene(labels).sampler(8)
    _, truth = sampler.batch(100)
    assert {0, 1, 2} <= set(np.unique(truth).tolist())
    places = {(crop.top, crop.left) for crop in (sampler.draw() for _ in range(400))}
    assert {(0, 0), (32, 32), (0, 32)} <= places
    inner = [(top, left) for top, left in places if 13 <= top <= 20 and 13 <= left <= 20]
    assert len(inner) > 40, "a pixel comes at any place of the crop"


def test_balance_brings_rare_classes() -> None:
    labels = np.zeros((2, 64, 64), np.uint8)
    labels[0, :32] = 1
    labels[1, 50, 50] = 2
    even = Scene(labels).sampler(8, balance=1.0).batch(300)[1]
    plain = Scene(labels).sampler(8, balance=0.0).batch(300)[1]
    rare = [(truth == 2).any(axis=(1, 2)).mean() for truth in (even, plain)]
    assert rare[0] == pytest.approx(1 / 3, abs=0.1)
    assert rare[1] < 0.1


def test_slices_without_a_label_are_left_out() -> None:
    labels = dense((4, 20, 24))
    labels[[1, 3]] = UNLABELLED
    sampler = Scene(labels).sampler(8, slices=(0, 1, 2, 3))
    assert sampler.slices == (0, 2)
    assert {sampler.draw().z for _ in range(50)} == {0, 2}


def test_slices_of_one_class_are_learnt_from() -> None:
    labels = dense((3, 20, 24))
    labels[0], labels[1] = 0, 2
    sampler = Scene(labels).sampler(8, slices=(0, 1), balance=0.5)
    images, truth = sampler.batch(60)
    for image, known in zip(images, truth, strict=True):
        np.testing.assert_array_equal(decoded(image)[1][0], known)
    assert set(np.unique(truth)) == {0, 2}


def test_where_nothing_is_left_to_learn_from_it_is_said() -> None:
    labels = np.full((2, 20, 24), UNLABELLED, np.uint8)
    labels[:, 3:6, 3:6] = [0, 1, 0]
    holes = np.zeros(labels.shape, bool)
    holes[:, :10] = True
    with pytest.raises(XsegError, match="no labelled pixel"):
        Scene(labels, holes=holes).sampler(8)


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_only_the_region_is_learnt_from(balance: float) -> None:
    region = Box(5, 15, 8, 18)
    scene = Scene(dense((2, 40, 30)), region=region)
    sampler = scene.sampler(12, balance=balance)
    inside = region.mask(0, (40, 30))
    for _ in range(100):
        crop = sampler.draw()
        _, truth = cut(sampler, crop)
        window = inside[crop.top : crop.top + 12, crop.left : crop.left + 12]
        np.testing.assert_array_equal(truth != 255, window)
        assert window.any()


def test_pixels_without_a_value_are_not_learnt_from() -> None:
    holes = np.zeros((2, 30, 30), bool)
    y, x = np.ogrid[:30, :30]
    holes[:] = (y - 15) ** 2 + (x - 15) ** 2 > 14**2
    scene = Scene(dense((2, 30, 30)), holes=holes)
    sampler = scene.sampler(10, augment=ALL)
    images, truth = sampler.batch(60)
    assert np.isfinite(images).all()
    np.testing.assert_array_equal(truth == 255, images[:, 0] == 0)
    assert (truth != 255).any(axis=(1, 2)).all()


def test_a_band_that_validates_is_not_learnt_from() -> None:
    split = Split((0, 1), (0, 1), kind="band", rough=True, band=(10, 16), margin=3)

    class Training:
        def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray | None:
            return split.train_region(z, shape)

    scene = Scene(dense((2, 40, 30)), region=Training())
    sampler = scene.sampler(12)
    for _ in range(100):
        crop = sampler.draw()
        _, truth = cut(sampler, crop)
        rows = np.arange(crop.top, crop.top + 12)
        closed = (rows >= 7) & (rows < 19)
        np.testing.assert_array_equal((truth != 255).all(axis=1), ~closed)
        assert (truth[closed] == 255).all()
        assert not closed.all()


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_whole_slices_come_once_an_epoch(batch: int) -> None:
    sampler = Scene(dense((7, 6, 5))).sampler((6, 5), slices=(0, 2, 3, 6), crop=None, batch=batch)
    drawn = [sampler.draw().z for _ in range(40)]
    epochs = [tuple(drawn[start : start + 4]) for start in range(0, 40, 4)]
    assert all(sorted(epoch) == [0, 2, 3, 6] for epoch in epochs)
    assert len(set(epochs)) > 3, "in another order each time"


def test_whole_slices_and_their_copies_come_once_an_epoch() -> None:
    scene = Scene(dense((3, 6, 5)))
    data = scene.data()
    sampler = CropSampler(
        data,
        (0, 1, 2),
        (6, 5),
        0,
        TrainConfig(crop=None, augment=PLAIN),
        noisy_copies=data.noisy_copies(50.0, 0),
    )
    for _ in range(4):
        epoch = [sampler.draw() for _ in range(6)]
        assert sorted((crop.z, crop.noisy) for crop in epoch) == [
            (z, noisy) for z in range(3) for noisy in (False, True)
        ]


@pytest.mark.parametrize("crop", [None, 8])
@pytest.mark.parametrize("stop", [0, 1, 5, 13])
def test_a_state_goes_on_exactly(crop: int | None, stop: int) -> None:
    scene = Scene(scribbled(0.3, (5, 20, 20)), context=1)

    def fresh(seed: int = 3) -> CropSampler:
        size = (20, 20) if crop is None else 8
        return scene.sampler(size, crop=crop, balance=0.3, augment=ALL, seed=seed)

    whole = fresh()
    drawn = [whole.draw() for _ in range(30)]
    first = fresh()
    assert [first.draw() for _ in range(stop)] == drawn[:stop]
    state = first.state()
    assert all(isinstance(value, str | int) for value in state.values())
    second = fresh()
    second.draw()
    second.load_state(state)
    assert [second.draw() for _ in range(30 - stop)] == drawn[stop:]
    assert [fresh(4).draw() for _ in range(30)] != drawn


def test_batches_are_the_crops_drawn() -> None:
    scene = Scene(dense(), context=1)
    one, other = (scene.sampler(8, margin=2, augment=ALL) for _ in range(2))
    images, truth = one.batch(5)
    assert images.dtype == np.float32
    assert truth.dtype == np.int64
    assert images.shape == (5, 3, 12, 12)
    for image, known in zip(images, truth, strict=True):
        again = cut(other, other.draw())
        np.testing.assert_array_equal(image, again[0])
        np.testing.assert_array_equal(known, again[1])


def test_what_is_learnt_from_is_hashed() -> None:
    data = Scene(dense()).data()
    whole = data.sha256([0, 2])
    assert whole == Scene(dense()).data().sha256([0, 2])
    changed = dense()
    changed[2, 0, 0] = (changed[2, 0, 0] + 1) % 3
    assert Scene(changed).data().sha256([0, 2])["labels"] != whole["labels"]
    assert Scene(changed).data().sha256([0, 1])["labels"] == data.sha256([0, 1])["labels"]
    narrowed = Scene(dense(), region=Box(0, 5, 0, 5)).data().sha256([0, 2])
    assert narrowed["images"] == whole["images"]
    assert narrowed["labels"] != whole["labels"]


def test_labels_are_found_by_their_pairing() -> None:
    labels = dense((2, 20, 24))
    data = LabelledSlices(
        volume_from_array(np.zeros((9, 20, 24), np.uint16)),
        LabelVolume(volume_from_array(labels, meaning="labels"), ClassTable.from_values([0, 1, 2])),
        {7: 0, 3: 1},
        None,
        COUNTS,
        0,
        PLENTY,
    )
    np.testing.assert_array_equal(data.truth(7), labels[0])
    np.testing.assert_array_equal(data.truth(3), labels[1])
