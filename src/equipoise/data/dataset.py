"""What was read, before any split: values of one kind, labels if there are any, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from equipoise.errors import ConfigError, DataError
from equipoise.spaces import SpaceKind

if TYPE_CHECKING:
    import pandas as pd

    from equipoise.data.store.arrow import OnDiskArray, StackedColumns
    from equipoise.data.store.table import OnDiskTable

    Values = np.ndarray | pd.DataFrame | OnDiskArray | StackedColumns | OnDiskTable

Crop = Literal["center", "random", "none"]
SMALLEST_SIDE = 4
LARGEST_SIDE = 1024


@dataclass(frozen=True)
class RuleWishes:
    """Which rules between the columns of a table samples are to obey; see `tables.rules`.

    Attributes:
        stated: rules as a person writes them.
        finds: whether columns that another one decides are looked for.
        label: the column of classes, which takes part in no rule.
    """

    stated: tuple[str, ...] = ()
    finds: bool = False
    label: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Data in their natural form.

    Attributes:
        kind: points, images or table.
        values: points float64 `(n, d)`; images uint8 `(n, channels, height, width)`; a table as a DataFrame. Large
            data stay on disk: a `OnDiskArray`, `StackedColumns` or `OnDiskTable`, whose rows are read when indexed.
        labels: class of each row, int64 `(n,)`, or `None`.
        label_names: name of each class, at the position that `labels` gives.
        names: names of a point's coordinates; empty for images, and for tables, whose frame has them.
        notes: sentences for the person: files that were skipped, how an array was understood.
        source: where the values came from, as the person gave it.
        weights: how often each row is wanted, relative to the others, float64 `(n,)`; `None` is evenly.
        places: number of each row in the source, from 0, int64 `(n,)`; `None` where these are all rows in their order.
        repeated: columns of a table whose name in the source is that of another: the name here, and there.
        made_up: columns of a table that are neither learned nor judged (`tables.made_up`): keys, names and free text.
        files: the file that each image was read from, relative to the source, `(n,)`; `None` where it is in no file of
            its own.
        rules: which rules samples of a table are to obey.
        groups: rows that belong together have one number, from 0, int64 `(n,)`; `None` where rows are independent.
        group_name: the column that said so.
    """

    kind: SpaceKind
    values: Values
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    weights: np.ndarray | None = None
    places: np.ndarray | None = None
    files: np.ndarray | None = None
    rules: RuleWishes = RuleWishes()
    made_up: tuple[Any, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()
    groups: np.ndarray | None = None
    group_name: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, indices: np.ndarray) -> Dataset:
        """The same data with only the rows at `indices`, in that order."""
        values = self.values
        chosen_values = values.iloc[indices].reset_index(drop=True) if hasattr(values, "iloc") else values[indices]
        each = {"labels": self.labels, "weights": self.weights, "files": self.files, "groups": self.groups}
        places = np.arange(len(self)) if self.places is None else self.places
        chosen = {name: None if entry is None else entry[indices] for name, entry in each.items()}
        return replace(self, values=chosen_values, places=places[indices], **chosen)

    def with_notes(self, *notes: str) -> Dataset:
        """The same data with more sentences for the person."""
        return replace(self, notes=(*self.notes, *notes))

    def _repr_html_(self) -> str:
        from html import escape

        shape = " x ".join(str(size) for size in self.values.shape)
        lines = [f"<b>{escape(self.source)}</b>: {self.kind}, {shape}", *map(escape, self.notes)]
        return "<br>".join(lines)


@dataclass(frozen=True)
class Misfit:
    """Values of one side that are not of the kind of their column.

    Attributes:
        side: real or generated.
        column: its name.
        values: some of them, commonest first.
        rows: how many rows have such a value.
        kind: what the column holds.
    """

    side: str
    column: str
    values: tuple[str, ...]
    rows: int
    kind: str


@dataclass(frozen=True)
class Aligned:
    """Two sides' values in one form.

    Attributes:
        real, fake: with the same axes, channels and columns.
        notes: sentences on how they were brought to it.
        misfits: values that are not of the kind of their column.
    """

    real: Values
    fake: Values
    notes: tuple[str, ...] = ()
    misfits: tuple[Misfit, ...] = ()


def unlike(real: Dataset, fake: Dataset, found: str) -> DataError:
    """The refusal of a second data set that cannot be brought to the form of the first."""
    return DataError(
        fake.source,
        f"{found}.",
        f"Expected samples of the same kind as those in {real.source}.",
        "Bring both sides to one form; what only one side has would distinguish them by itself.",
    )


@dataclass(frozen=True)
class DataOptions:
    """How to understand a source where its own form leaves a choice.

    Attributes:
        kind: read the source as points, images or a table, whatever it looks like.
        image_size: side of the prepared images in pixels, or (height, width); `None` chooses, see `images.resize`.
        crop: where images of other proportions are cropped: at the centre, at a place drawn for each, or not at all.
        mirror: whether a picture and its mirror image are equally likely: half of the images are mirrored as they are
            read, and training draws every one of them either way.
        background: a colour that transparent images are put on; `None` keeps the transparency.
        max_bad_share: share of image files that may be unreadable and are skipped.
        labels: the array of an `.npz` file, or the column of a table, that holds the classes.
        use_labels: whether folder names and label arrays become classes.
        drop: columns of a table that are left out.
        points: how many points to draw of `grid25`, `ring8` and `swiss-roll`.
        sample_weight: the array of an `.npz` file, or the column of a table, that says how often each row is wanted;
            it is taken out of the data.
        keep_gaps: keep what the referee reports and the players cannot learn from: NaN and infinity in points, columns
            of a table without any value, images that are all of one colour.
        missing: what means in a text file that a value is missing, beyond blanks and the marks of `tables.reading`.
        day_first: whether dates such as 01/02/2024 begin with the day; `None` decides where the column shows it.
        like: types (`ColumnType`) of the columns that the data are to be compared with; text is read as these, if it
            can be, and what cannot be stays.
        columns: kinds that the person states for columns, by name; see `tables.overrides`.
        made_up: columns (`MadeUpColumn`) that an earlier reading, or that of the other side, has taken out.
        white: value of a white pixel in images of more than 8 bits; `None` is 65,535.
        as_first_version: read images as version 0.1.0 did, for a run that it began.
        rules: rules between the columns of a table, as a person writes them; see `tables.rules.language`.
        group: the column of a table that says which rows belong together, such as a patient; it is taken out.
        dependences: whether columns that another one decides are looked for, and read off from it.
        stored: types (`ColumnType`) that an earlier reading of the same data gave to the columns; they get them again.
    """

    kind: SpaceKind | None = None
    image_size: int | tuple[int, int] | None = None
    max_bad_share: float = 0.05
    labels: str | None = None
    use_labels: bool = True
    drop: tuple[str, ...] = ()
    points: int = 100_000
    sample_weight: str | None = None
    keep_gaps: bool = False
    missing: tuple[str, ...] = ()
    day_first: bool | None = None
    like: tuple[Any, ...] = ()
    stored: tuple[Any, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    made_up: tuple[Any, ...] = ()
    white: int | None = None
    as_first_version: bool = False
    crop: Crop = "center"
    mirror: bool = False
    background: str | None = None
    rules: tuple[str, ...] = ()
    dependences: bool = True
    group: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in (None, "points", "images", "table"):
            raise ConfigError("data.kind", f"'{self.kind}' is no kind of data.", "Expected points, images or table.")
        sides = (self.image_size,) if isinstance(self.image_size, int) else tuple(self.image_size or ())
        if (
            isinstance(self.image_size, bool)
            or len(sides) > 2
            or any(not isinstance(side, int) or not SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides)
        ):
            raise ConfigError(
                "data.image_size",
                f"{self.image_size} is no size of an image.",
                f"Expected a number of pixels from {SMALLEST_SIDE} to {LARGEST_SIDE}, or a pair (height, width).",
            )
        if not 0 <= self.max_bad_share <= 1:
            raise ConfigError(
                "data.max_bad_share", f"{self.max_bad_share} is not a share.", "Expected a number from 0 to 1."
            )
        if self.crop not in get_args(Crop):
            raise ConfigError("data.crop", f"'{self.crop}' is no crop.", f"Expected {', '.join(get_args(Crop))}.")
        try:
            _ = self.background_colour
        except ValueError:
            raise ConfigError(
                "data.background",
                f"'{self.background}' is no colour.",
                "Expected a name such as white, or red, green and blue such as '#ffffff'.",
                "Write one of them; leave it out to keep the transparency.",
            ) from None
        if self.points < 1:
            raise ConfigError("data.points", f"{self.points} points cannot be drawn.", "Expected 1 or more.")

    @property
    def pixels(self) -> tuple[Any, ...]:
        """What else decides how pixels are read."""
        return self.white, self.as_first_version, self.crop, self.mirror, self.background

    @property
    def background_colour(self) -> tuple[int, int, int] | None:
        """`background` as red, green and blue; `None` keeps the transparency."""
        if self.background is None:
            return None
        from PIL import ImageColor

        return ImageColor.getrgb(self.background)[:3]

    @property
    def target_size(self) -> tuple[int, int] | None:
        """`image_size` as (height, width), or `None` when the data decide."""
        if self.image_size is None:
            return None
        return (self.image_size, self.image_size) if isinstance(self.image_size, int) else tuple(self.image_size)
