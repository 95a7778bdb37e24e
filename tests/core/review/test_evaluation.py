from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from napari_xseg import metrics
from napari_xseg.data.classes import ClassTable
from napari_xseg.errors import XsegError
from napari_xseg.events import Message, Progress
from napari_xseg.metrics import IGNORE
from napari_xseg.review.border import border_band
from napari_xseg.review.evaluation import evaluate_slices, evaluate_volumes
from napari_xseg.review.matching import common_classes


@pytest.fixture
def volumes(blobs, table, make_slices):
    truth, prediction = blobs
    return make_slices(prediction, table, "masks"), make_slices(truth, table, "labels")


@pytest.fixture
def evaluation(blobs, table):
    return evaluate_slices(zip(range(160, 165), *blobs, strict=True), table, border=2)


def test_pooled_counts_are_those_of_the_whole_volume(blobs, evaluation):
    truth, prediction = blobs
    np.testing.assert_array_equal(evaluation.pooled, metrics.confusion(truth, prediction, 3))
    assert evaluation.not_predicted == np.count_nonzero((prediction == IGNORE) & (truth != IGNORE))


def test_outside_border_leaves_the_band_out(blobs, evaluation):
    truth, prediction = blobs
    inner = truth.copy()
    for z in range(5):
        inner[z][border_band(truth[z], 2)] = IGNORE
    np.testing.assert_array_equal(
        evaluation.pooled_outside, metrics.confusion(inner, prediction, 3)
    )
    assert 0 < evaluation.pooled_outside.sum() < evaluation.pooled.sum()


def test_border_zero_leaves_nothing_out(blobs, table):
    found = evaluate_slices(zip(range(5), *blobs, strict=True), table, border=0)
    np.testing.assert_array_equal(found.pooled_outside, found.pooled)


def test_json_has_the_fixed_shape(evaluation, table):
    found = json.loads(evaluation.to_json())
    pooled = found["pooled"]
    assert pooled["dice_all"] == pytest.approx(metrics.dice_all(evaluation.pooled))
    assert pooled["dice_foreground"] == pytest.approx(metrics.dice_foreground(evaluation.pooled))
    assert pooled["accuracy"] == pytest.approx(metrics.accuracy(evaluation.pooled))
    assert pooled["confusion"] == evaluation.pooled.tolist()
    assert [row["name"] for row in pooled["classes"]] == ["pore", "YSZ", "nickel"]
    assert [row["value"] for row in pooled["classes"]] == [0, 128, 255]
    assert {"dice", "iou", "precision", "recall"} <= set(pooled["classes"][0])
    assert [row["z"] for row in found["slices"]] == [160, 161, 162, 163, 164]
    assert found["slices"][0].keys() >= pooled.keys()
    assert found["outside_border"]["border"] == 2
    assert found["outside_border"]["confusion"] == evaluation.pooled_outside.tolist()
    true = [row["true_fraction"] for row in pooled["classes"]]
    assert true == pytest.approx(metrics.true_fractions(evaluation.pooled).tolist())
    assert sum(true) == pytest.approx(1)
    assert found["slices"][1]["not_predicted"] == evaluation.slices[1].not_predicted > 0


def test_json_says_null_where_there_is_no_figure(table):
    truth = np.full((4, 4), IGNORE, np.uint8)
    found = evaluate_slices([(3, truth, np.zeros((4, 4), np.uint8))], table)
    text = found.to_json()
    assert "NaN" not in text
    assert json.loads(text)["slices"][0]["dice_foreground"] is None
    assert json.loads(text)["pooled"]["classes"][0]["true_fraction"] is None
    assert math.isnan(found.slice_mean()["dice_all"])


def test_slice_mean_is_the_mean_of_slices(evaluation):
    each = [metrics.dice_foreground(score.counts) for score in evaluation.slices]
    assert evaluation.slice_mean()["dice_foreground"] == pytest.approx(np.mean(each))
    assert evaluation.slice_mean()["dice_foreground"] != metrics.dice_foreground(evaluation.pooled)


def test_csv_has_one_row_a_slice(evaluation):
    rows = list(csv.DictReader(io.StringIO(evaluation.to_csv())))
    assert [row["z"] for row in rows] == ["160", "161", "162", "163", "164"]
    dice = metrics.dice(evaluation.slices[2].counts)
    assert float(rows[2]["dice YSZ"]) == pytest.approx(dice[1], abs=1e-6)
    assert float(rows[2]["dice_foreground"]) == pytest.approx(dice[1:].mean(), abs=1e-6)
    outside = metrics.dice_foreground(evaluation.slices[2].outside)
    assert float(rows[2]["dice_foreground_outside_border"]) == pytest.approx(outside, abs=1e-6)


def test_csv_leaves_undefined_figures_empty(make_classes):
    table = make_classes((0, 9), ("a,b", 'say "x"'))
    plane = np.zeros((3, 3), np.uint8)
    (row,) = csv.DictReader(io.StringIO(evaluate_slices([(0, plane, plane)], table).to_csv()))
    assert row["dice a,b"] == "1.000000"
    assert row['dice say "x"'] == ""


def test_table_is_rectangular_and_in_percent(evaluation):
    header, *rows = evaluation.table()
    assert {len(row) for row in rows} == {len(header)}
    assert [row[0] for row in rows] == [
        *("pore", "YSZ", "nickel", "dice_foreground", "dice_all", "accuracy"),
    ]
    assert rows[0][2] == f"{100 * metrics.dice(evaluation.pooled)[0]:.2f}"


def test_volumes_score_like_slices_and_say_how_far(volumes, evaluation, finish):
    seen = []
    job = evaluate_volumes(
        *volumes, [(z, z) for z in range(5)], visitors=[lambda z, *_: seen.append(z)]
    )
    found, events = finish(job)
    np.testing.assert_array_equal(found.pooled, evaluation.pooled)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.done, event.total) for event in progress] == [(n, 5) for n in range(1, 6)]
    assert seen == [0, 1, 2, 3, 4]
    (warning,) = [event for event in events if isinstance(event, Message)]
    assert warning.level == "warning"
    assert "not predicted" in warning.text


def test_slices_are_read_one_at_a_time(volumes, finish):
    masks, labels = volumes
    job = evaluate_volumes(masks, labels, [(0, 4), (1, 2)])
    next(job)
    assert (masks.reads, labels.reads) == ([0], [4])
    found, _ = finish(job)
    assert (masks.reads, labels.reads) == ([0, 1], [4, 2])
    assert [score.z for score in found.slices] == [4, 2]


def test_outside_the_region_nothing_counts(volumes, finish):
    class LeftHalf:
        def mask(self, z, shape):
            inside = np.zeros(shape, bool)
            inside[:, : 10 + z] = True
            return inside

    found, _ = finish(evaluate_volumes(*volumes, [(2, 2)], region=LeftHalf()))
    assert found.pooled.sum() == np.count_nonzero(volumes[1].planes[2, :, :12] != IGNORE)


@pytest.mark.parametrize(
    ("mask_values", "label_values", "kept"),
    [
        ((0, 128, 255), (128, 255), (0, 128, 255)),
        ((128, 255), (0, 128, 255), (0, 128, 255)),
        ((255, 0, 128), (0, 128, 255), (0, 128, 255)),
        ((0, 128, 255), (255, 128, 0), (255, 128, 0)),
    ],
)
def test_classes_are_matched_by_file_value(
    make_slices, make_classes, mask_values, label_values, kept, finish
):
    files = np.random.default_rng(0).choice(
        sorted(set(mask_values) & set(label_values)), size=(2, 1, 6, 6)
    )
    planes = [
        np.searchsorted(np.sort(values), files[side]).astype(np.uint8)
        for side, values in enumerate((mask_values, label_values))
    ]
    planes = [
        np.argsort(values)[plane].astype(np.uint8)
        for plane, values in zip(planes, (mask_values, label_values), strict=True)
    ]
    masks = make_slices(planes[0], make_classes(mask_values), "masks")
    labels = make_slices(planes[1], make_classes(label_values))
    found, _ = finish(evaluate_volumes(masks, labels, [(0, 0)]))
    assert found.classes.values == kept
    for row, true in enumerate(kept):
        for column, predicted in enumerate(kept):
            expected = np.count_nonzero((files[1] == true) & (files[0] == predicted))
            assert found.pooled[row, column] == expected


@pytest.mark.parametrize("named", ["masks", "labels", "both"])
def test_names_come_from_the_labels_or_from_the_masks_where_only_those_have_some(
    make_slices, named
):
    nameless = ClassTable.from_values((0, 128))
    names = {side: tuple(f"{side} {index}" for index in range(2)) for side in ("masks", "labels")}
    sides = {}
    for side in ("masks", "labels"):
        classes = nameless
        if named in (side, "both"):
            specs = zip(nameless.classes, names[side], strict=True)
            classes = replace(
                nameless, classes=tuple(replace(spec, name=name) for spec, name in specs)
            )
        sides[side] = make_slices(np.zeros((1, 2, 2), np.uint8), classes, side)
    found, _, _ = common_classes(sides["masks"], sides["labels"])
    assert found.names == names["masks" if named == "masks" else "labels"]


def test_strange_mask_values_are_named(make_slices, make_classes, finish):
    masks = make_slices(np.zeros((1, 4, 4), np.uint8), make_classes((0, 7)), "mask.tif")
    labels = make_slices(np.zeros((1, 4, 4), np.uint8), make_classes((0, 128)), "labels")
    with pytest.raises(XsegError, match=r"mask\.tif: holds the values \[7\].*labels \[0, 128\]"):
        finish(evaluate_volumes(masks, labels, [(0, 0)]))


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([], "no slice to score"),
        ([(0, 5)], "labels: z 5 was asked for, it has 0 to 4"),
        ([(-1, 0)], "masks: z -1"),
    ],
)
def test_wrong_pairs_are_refused_before_any_read(volumes, pairs, says, finish):
    with pytest.raises(XsegError, match=says):
        finish(evaluate_volumes(*volumes, pairs))
    assert volumes[0].reads == volumes[1].reads == []


def test_sizes_that_differ_are_refused(make_slices, table, finish):
    masks = make_slices(np.zeros((1, 4, 5), np.uint8), table, "masks")
    labels = make_slices(np.zeros((1, 4, 4), np.uint8), table, "labels")
    with pytest.raises(XsegError, match=r"masks: its slices are 4 x 5 .* labels 4 x 4"):
        finish(evaluate_volumes(masks, labels, [(0, 0)]))


@pytest.mark.parametrize(
    ("truth", "prediction", "says"),
    [(IGNORE, 0, "no.* labelled pixel"), (0, IGNORE, "no labelled pixel is predicted")],
)
def test_nothing_to_score_is_refused(make_slices, table, truth, prediction, says, finish):
    masks = make_slices(np.full((1, 4, 4), prediction, np.uint8), table, "masks")
    labels = make_slices(np.full((1, 4, 4), truth, np.uint8), table)
    with pytest.raises(XsegError, match=says):
        finish(evaluate_volumes(masks, labels, [(0, 0)]))


@pytest.mark.parametrize("border", [-1, 65])
def test_a_border_out_of_range_is_refused(volumes, border, finish):
    with pytest.raises(XsegError, match=f"border: found {border}"):
        finish(evaluate_volumes(*volumes, [(0, 0)], border=border))
