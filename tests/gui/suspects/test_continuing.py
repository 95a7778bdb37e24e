from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.events import Finished
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.training.recipes import load_recipe
from tests.gui.fake import WAIT
from tests.gui.prediction_fakes import PretendedMask, write_model
from tests.gui.suspects.bench import Bench, keep, pretend_search, suspects_at

if TYPE_CHECKING:
    from tests.gui.fake import FakeEngine

BEFORE = suspects_at((2, "fragment"), (5, "hole"))
AFTER = suspects_at((5, "hole"))


@pytest.fixture
def trained(bench: Bench) -> Bench:
    """A run in use, suspects that are known, and slice 4 accepted."""
    assert bench.session.project is not None
    run = bench.session.project.folder / "runs" / "20260101-100000-quick"
    write_model(run / "model.safetensors")
    bench.session.set_model(run)
    keep(bench.path, BEFORE)
    bench.open()
    bench.session.go_to(4)
    bench.click(bench.page.mend.accept)
    bench.wait()
    return bench


@pytest.fixture
def elsewhere(trained: Bench, tmp_path: Path) -> Path:
    """A run outside the project, in use, with noise of sd 20 where the spread is 10."""
    run = tmp_path / "far" / "20260101-110000-robust"
    write_model(run / "model.safetensors")
    noise = {"enabled": True, "std": 20.0, "low": 0.5, "high": 1.0}
    config = load_recipe("quick").replace(name="robust", noise=noise).with_budget(steps=5)
    (run / "config.toml").write_text(config.to_toml(), encoding="utf-8")
    trained.session.set_model(run)
    return run


def end_training(engine: FakeEngine, reason: Any = "done") -> Any:
    def end(_: Any) -> Finished:
        out = engine.submitted[-1].out
        write_model(out / "model.safetensors")
        return Finished(out, reason, 1.0, {})

    return end


def search_again(engine: FakeEngine) -> list[Any]:
    def end(running: Any) -> Finished:
        return pretend_search(Path(engine.submitted[-1].mask), AFTER)[-1](running)

    return [end]


def test_it_trains_predicts_looks_and_says_what_has_changed(
    trained: Bench, fake_engine: FakeEngine
) -> None:
    page, bench = trained.page, trained
    mask = PretendedMask(fake_engine)
    fake_engine.scripts.extend(
        [[WAIT, end_training(fake_engine)], mask.script(), search_again(fake_engine)]
    )
    bench.click(page.go_on)
    bench.qtbot.waitUntil(lambda: page.bar.job is not None)
    assert "1 of 3" in page.phase.text()
    assert not page.go_on.isVisible()
    bench.qtbot.waitUntil(lambda: len(fake_engine.running) == 1)
    fake_engine.running[-1].gate.set()
    bench.qtbot.waitUntil(lambda: page.continuing.words != "", timeout=20_000)
    bench.wait()
    train, predict, search = fake_engine.submitted
    assert train.parent is not None
    assert train.origins == {"accepted": 1}
    assert predict.slices == tuple(range(8))
    assert Path(search.mask) == Path(predict.out)
    words = page.progress.text()
    assert "1 of 2 suspects went away, 0 came up." in words
    assert "Of 1 labelled slice 1 got worse: 4" in words
    assert page.search.path == predict.out
    page.progress.linkActivated.emit("1")
    assert bench.session.z == 2
    np.testing.assert_allclose(bench.session.camera.center[1:], (24.5, 44.5), atol=1)


def test_a_stopped_training_compares_nothing(trained: Bench, fake_engine: FakeEngine) -> None:
    page = trained.page
    fake_engine.scripts.append([WAIT, end_training(fake_engine, "stopped")])
    trained.click(page.go_on)
    trained.qtbot.waitUntil(lambda: len(fake_engine.running) == 1)
    trained.click(page.bar.stop)
    trained.wait()
    assert "was stopped" in page.progress.text()
    assert len(fake_engine.submitted) == 1
    assert page.go_on.isEnabled()


def test_without_a_run_or_labels_the_button_says_why(bench: Bench) -> None:
    bench.open()
    assert not bench.page.go_on.isEnabled()
    assert "There are no labels" in bench.page.go_on.toolTip()
    bench.click(bench.page.mend.accept)
    bench.wait()
    assert "train one first" in bench.page.go_on.toolTip()


def test_the_train_dock_has_its_settings_used(trained: Bench, fake_engine: FakeEngine) -> None:
    from napari_xseg.gui.train.kept_choices import SETTINGS, kept_choices
    from napari_xseg.gui.train.train_form import TrainChoices

    project = trained.session.project
    assert project is not None
    config = load_recipe("quick").with_budget(steps=7)
    kept = TrainChoices(config=config).model_dump(mode="json")
    project.save_settings({SETTINGS: {"choices": kept, "validation": "none", "slices": ""}})
    choices, wish = kept_choices(trained.session)
    assert choices.config.steps == 7
    assert not wish.validation
    trained.click(trained.page.go_on)
    trained.wait()
    assert fake_engine.submitted[0].config.steps == 7


def test_another_mask_chosen_meanwhile_ends_it(trained: Bench, fake_engine: FakeEngine) -> None:
    page, bench = trained.page, trained
    mask = PretendedMask(fake_engine)
    fake_engine.scripts.extend(
        [[end_training(fake_engine)], mask.script(), [WAIT, *search_again(fake_engine)]]
    )
    bench.click(page.go_on)
    bench.qtbot.waitUntil(lambda: page.continuing.phase == "looking", timeout=20_000)
    page.search.choose(bench.layer)
    assert "Another mask was chosen" in page.progress.text()
    bench.qtbot.waitUntil(lambda: len(fake_engine.running) == 3)
    fake_engine.running[-1].gate.set()
    bench.wait()
    assert page.go_on.isEnabled()
    assert len(page.search.suspects or ()) == 2


def test_a_model_from_elsewhere_is_gone_on_with_as_a_run_of_the_project(
    trained: Bench, fake_engine: FakeEngine, elsewhere: Path
) -> None:
    session, page = trained.session, trained.page
    assert session.project is not None
    assert elsewhere.name in page.go_on.toolTip()
    fake_engine.scripts.append([end_training(fake_engine, "stopped")])
    trained.click(page.go_on)
    trained.wait()
    (train,) = fake_engine.submitted
    assert train.parent == elsewhere
    assert train.out.parent == session.project.folder / "runs"
    assert train.out.name.endswith("robust-continued")
    assert (train.config.name, train.config.steps) == ("robust", 5)
    assert train.config.noise.std == 20.0
    assert not train.match_intensity
    assert session.model == train.out


def test_what_the_train_dock_was_told_comes_before_the_settings_of_the_run(
    trained: Bench, fake_engine: FakeEngine, elsewhere: Path
) -> None:
    from napari_xseg.gui.train.kept_choices import SETTINGS
    from napari_xseg.gui.train.train_form import TrainChoices

    assert trained.session.project is not None
    config = load_recipe("quick").with_budget(steps=7)
    kept = TrainChoices(config=config).model_dump(mode="json")
    trained.session.project.save_settings({SETTINGS: {"choices": kept}})
    trained.click(trained.page.go_on)
    trained.wait()
    assert (fake_engine.submitted[0].config.name, fake_engine.submitted[0].config.steps) == (
        "quick",
        7,
    )


def test_grey_values_are_matched_in_training_too(
    trained: Bench, fake_engine: FakeEngine, elsewhere: Path
) -> None:
    trained.page.form.match.click()
    trained.click(trained.page.go_on)
    trained.wait()
    (train,) = fake_engine.submitted
    assert train.match_intensity
    noise = train.config.noise
    assert (noise.std, noise.low, noise.high) == (None, 0.5 * 20 / 6.4, 20 / 6.4)


def test_a_file_alone_says_no_settings(
    trained: Bench, fake_engine: FakeEngine, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "sent.safetensors")
    trained.session.set_model(model)
    trained.click(trained.page.go_on)
    trained.wait()
    (train,) = fake_engine.submitted
    assert (train.parent, train.config.name) == (model, "quick")


def test_a_model_of_other_classes_is_refused_with_the_reason(
    trained: Bench, tmp_path: Path
) -> None:
    classes = ClassTable.from_values([7, 8])
    trained.session.set_model(write_model(tmp_path / "two.safetensors", classes))
    assert not trained.page.go_on.isEnabled()
    tip = trained.page.go_on.toolTip()
    assert "knows the classes class 0 (7), class 1 (8), the labels have class 0" in tip


def test_without_a_model_the_button_says_so(trained: Bench) -> None:
    trained.session.set_model(None)
    assert not trained.page.go_on.isEnabled()
    assert "There is no model to go on from" in trained.page.go_on.toolTip()


def test_a_continued_run_that_was_cut_short_is_resumed(
    trained: Bench, fake_engine: FakeEngine, elsewhere: Path
) -> None:
    fake_engine.scripts.append([end_training(fake_engine, "stopped")])
    trained.click(trained.page.go_on)
    trained.wait()
    (train,) = fake_engine.submitted
    (train.out / "config.toml").write_text(train.config.to_toml(), encoding="utf-8")
    trainings_of(trained.session).resume(train.out)
    trained.wait()
    again = fake_engine.submitted[-1]
    assert (again.resume, again.parent, again.out) == (True, None, train.out)
