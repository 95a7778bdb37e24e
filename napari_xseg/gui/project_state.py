"""The image, its labels and classes, and the project that keeps them, in one viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.label_copy import copy_labels, rescue_labels
from napari_xseg.data.project import Project, is_project
from napari_xseg.errors import XsegError
from napari_xseg.gui.images import Images, images_of
from napari_xseg.gui.label_counting import count_label_files
from napari_xseg.gui.layers import KEY, Layers, classes_of
from napari_xseg.gui.opening import image_layer_data, open_path
from napari_xseg.gui.project_folder import folder_of, make_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.layers import Image, Labels

    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.gui.worker import Call, Jobs

# Of labels that are begun from nothing: three phases, as in most battery and fuel cell scans.
FIRST_CLASSES = ClassTable.from_values((1, 2, 3), unlabelled=0)


class ProjectState:
    """What is worked on. `Session` adds who computes, and words to the user.

    Attributes
    ----------
    image : Image or None
        The chosen image layer; `images` is its slices.
    labels : Labels or None
        The layer that is painted in; its data is `store`. The store stays where
        the layer is deleted.
    classes : ClassTable
        Of the labels.
    project : Project or None
        On disk from the first labels or training on.
    model : Path or None
        The run folder or model file in use.
    """

    image_changed = Signal()
    labels_changed = Signal()
    slices_changed = Signal(frozenset)  # z of the slices whose labels or counts have changed
    classes_changed = Signal()
    project_changed = Signal()
    runs_changed = Signal()
    model_changed = Signal()

    viewer: Viewer
    jobs: Jobs
    warn: Callable[[str], None]
    show_error: Callable[[Exception], None]

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.image: Image | None = None
        self.images: Images | None = None
        self.labels: Labels | None = None
        self.store: LabelStore | None = None
        self.classes = FIRST_CLASSES
        self.project: Project | None = None
        self.model: Path | None = None
        self._folder: Path | None = None  # of the project, where there is none yet
        self._filling: Call[Any] | None = None
        # A project brings its image: nobody else takes that image up meanwhile.
        self._opening = False

    # -- the image ----------------------------------------------------------

    def set_image(self, layer: Image | None) -> None:
        """Work on another image layer; its project comes with it where there is one.

        Raises
        ------
        XsegError
            A layer that cannot be segmented. The one before stays.
        """
        if layer is self.image or self._opening:
            return
        images = None if layer is None else images_of(layer)
        self._leave_project()
        self.image, self.images = layer, images
        if images is not None:
            self._find_project(images)
        self.image_changed.emit()

    def require_images(self) -> Images:
        """The slices of the chosen image; XsegError where none is chosen."""
        if self.images is None:
            raise XsegError("There is no image: open one, or choose an image layer.")
        return self.images

    # -- the project --------------------------------------------------------

    @property
    def project_folder(self) -> Path | None:
        """Where the project is, or will be from the first label on; None without an image."""
        if self.project is not None:
            return self.project.folder
        return None if self.images is None else self._folder

    def require_project(self) -> Project:
        """The project, made beside the image where there is none; XsegError without an image."""
        images = self.require_images()
        if self.project is None:
            folder = folder_of(images)
            self._make_project(images, folder)
            beside = Path(images.address.get("path", folder)).parent
            if folder.parent != beside:
                self.warn(f"{beside}: cannot be written; labels and models are kept in {folder}.")
        assert self.project is not None
        return self.project

    def open_project(self, folder: Path, *, image: Path | None = None) -> None:
        """Bring back a project: image, labels, classes, runs.

        Parameters
        ----------
        folder : Path
            The project's.
        image : Path, optional
            Where its image is, if it has moved.

        Raises
        ------
        ImageMoved
            The image is not there any more.
        XsegError
            No project there, or a damaged one.
        """
        project = Project.open(folder, image=image)
        self._opening = True
        try:
            layer = self._image_of(project)
        except XsegError:
            project.close()
            raise
        finally:
            self._opening = False
        self._leave_project()
        self.image, self.images = layer, images_of(layer)
        self._take_project(project)
        self.image_changed.emit()

    def move_project(self, folder: Path) -> None:
        """Keep the project of this image in another folder; an existing one there is opened.

        XsegError where that cannot be; the project before stays.
        """
        images = self.require_images()
        if self.project is not None and self.project.folder == folder and is_project(folder):
            return
        there = Project.open(folder) if is_project(folder) else None
        if there is not None and there.shape != images.shape:
            there.close()
            raise XsegError(
                f"{folder}: is the project of an image of {_size(there.shape)} pixels, this one is "
                f"{_size(images.shape)}; choose another folder."
            )
        self._leave_project()
        if there is not None:
            self._take_project(there)
        else:
            self._make_project(images, folder)
        self.labels_changed.emit()

    # -- labels and classes -------------------------------------------------

    def new_labels(self) -> Labels:
        """Show the labels of the image, to paint in: those of the project, or empty ones."""
        self.require_images()
        project = self.require_project()
        if self.store is None:
            self._take_store(project)
        elif self.labels not in self.layers:
            self._show_labels()
            self.labels_changed.emit()
        assert self.labels is not None
        self.layers.set_visible(self.labels, True)
        self.layers.select(self.labels)
        return self.labels

    def set_classes(self, classes: ClassTable, recode: dict[int, int] | None = None) -> None:
        """Give the labels another class table.

        Parameters
        ----------
        classes : ClassTable
            The table from here on.
        recode : dict of int to int, optional
            New index by old index, for classes that were removed or moved: pixels
            of a class that is not named become unlabelled. Without it indices stay.
        """
        if recode is not None and self.store is not None:
            table = np.zeros(256, np.uint8)
            for old, new in recode.items():
                table[old + 1] = new + 1
            self.store.recode(table)
        if self.project is not None:
            self.project.set_classes(classes)
        self.classes = classes
        if self.labels is not None and self.labels in self.layers:
            self.layers.recolour(self.labels, classes)
            if recode is not None:
                self.layers.forget_strokes(self.labels)
        self.classes_changed.emit()

    def use_labels(self, layer: Labels, classes: ClassTable | None = None) -> None:
        """Paint in the labels of another layer: they become those of the project.

        Parameters
        ----------
        layer : Labels
            One that our reader opened keeps its files, which are never written: what
            is painted goes to the project. Others are copied in the background.
        classes : ClassTable, optional
            What the values of a layer mean that does not say it itself.

        Raises
        ------
        XsegError
            It does not fit the image, or says not what its values mean.
        """
        images = self.require_images()
        if layer is self.labels:
            return
        shape = tuple(map(int, (1, *layer.data.shape)[-3:]))
        if shape != images.shape:
            raise XsegError(
                f"layer {layer.name!r}: its labels are {_size(shape)} pixels, the image is "
                f"{_size(images.shape)}; choose labels of the same size."
            )
        own = classes_of(layer)
        if own is None and classes is None:
            raise XsegError(
                f"layer {layer.name!r}: says not which classes its values are; convert it first."
            )
        source = layer.metadata[KEY].get("source") if own is not None else None
        project = self.require_project()
        self.set_classes(classes or own or self.classes)
        if source is not None:
            project.set_base(source)
        self._take_store(project, layer if source is not None else None)
        if source is None:
            self._fill(layer, None if own is not None else classes)

    def save_strokes(self) -> bool:
        """Write what a full disk, or a lost folder, has kept from it; whether that went well."""
        if self.store is None:
            return True
        saved = self.store.save_pending()
        if saved:  # what said that the folder has gone looks again
            self.slices_changed.emit(frozenset())
            self.runs_changed.emit()
        return saved

    # -- inside -------------------------------------------------------------

    def _find_project(self, images: Images) -> None:
        folder = self._folder = folder_of(images)
        if not is_project(folder):
            return
        try:
            project = Project.open(folder)
            if project.shape == images.shape:
                self._take_project(project)
            else:
                project.close()
        except XsegError as error:  # the image can be looked at all the same
            self.show_error(error)

    def _make_project(self, images: Images, folder: Path) -> None:
        self._take_project(make_project(images, folder, self.classes))

    def _take_project(self, project: Project) -> None:
        self.project = project
        self.classes = project.classes
        self.model = next((run.path for run in project.runs() if run.usable), None)
        if not project.owned:
            self.warn(f"{project.folder}: is open elsewhere; its labels are read only here.")
        if project.has_labels:
            self._take_store(project)
        for signal in (
            self.project_changed,
            self.classes_changed,
            self.runs_changed,
            self.model_changed,
        ):
            signal.emit()

    def _take_store(self, project: Project, layer: Labels | None = None) -> None:
        """Paint in the project's labels from here on, shown in `layer` where one is given."""
        if self.store is not None:
            self.store.close()
        self.store = project.labels()
        self.store.on_change = self.slices_changed.emit
        self.store.on_error = self.show_error
        if layer is not None and layer is not self.labels:
            self.layers.remove(self.labels)
        if layer is not None:
            self.labels = self.layers.make_ours(layer, self.store, self.classes)
        elif self.labels in self.layers and self.labels is not None:
            self.layers.replace_data(self.labels, self.store)
        else:
            self._show_labels()
        count_label_files(self, self.store, self.store.count_base())
        self.labels_changed.emit()

    def _show_labels(self) -> None:
        assert self.store is not None
        assert self.images is not None
        name = f"{self.images.name} labels"
        self.labels = self.layers.add_classes(
            self.store, self.classes, kind="labels", name=name, image=self.image
        )

    def _fill(self, layer: Labels, classes: ClassTable | None) -> None:
        """Copy the labels of a layer into the store in the background."""
        store, data, name = self.store, layer.data, layer.name
        assert store is not None
        store.on_change = None  # it would be called in the other thread

        def done(_: object) -> None:
            store.on_change = self.slices_changed.emit
            self.slices_changed.emit(frozenset(store.labelled))
            if self.labels in self.layers and self.labels is not None:
                self.labels.refresh()

        def failed(error: Exception) -> None:
            done(None)
            self.show_error(error)

        self._filling = self.jobs.call(lambda: copy_labels(data, store, classes, name))
        self._filling.returned.connect(done)
        self._filling.failed.connect(failed)
        self.layers.set_visible(layer, False)

    def _leave_project(self) -> None:
        labels, store, project = self.labels, self.store, self.project
        self.labels = self.store = self.project = self.model = None
        self.classes = FIRST_CLASSES
        self.layers.remove(labels)
        if store is not None:
            store.on_change = None
            store.close()
            if store.pending and project is not None:
                self._rescue(store, project)
        if project is not None:
            project.close()
            for signal in (self.project_changed, self.labels_changed, self.classes_changed):
                signal.emit()
            self.runs_changed.emit()
            self.model_changed.emit()

    def _rescue(self, store: LabelStore, project: Project) -> None:
        """Keep labels that could not be written to their project."""
        try:
            folder = rescue_labels(store, project)
        except XsegError as error:
            self.show_error(error)
            return
        self.warn(
            f"Labels that could not be written to {project.folder} are in the project {folder}."
        )

    def _image_of(self, project: Project) -> Image:
        path = project.image_path
        for layer in self.layers.images():
            address = images_of(layer).address if layer.ndim in (2, 3) and not layer.rgb else {}
            same = address.get("name" if path is None else "path")
            if same is not None and same == (project.image_name if path is None else str(path)):
                return layer
        if path is None:
            raise XsegError(
                f"{project.folder}: was made from the layer {project.image_name!r}, which lay in "
                "memory; open that image first, then the project."
            )
        source = {key: value for key, value in project.image.items() if key != "path"}
        opened = open_path(path, **source)
        if opened.images is None:
            raise XsegError(f"{path}: holds no image; {project.folder} was made from one.")
        made: Any = self.layers.add(*image_layer_data(opened.images))
        return made


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
