"""A run's configuration: validated once, at the edge; frozen; unknown keys refused.

A part's options (objective, penalties, networks) are the keyword arguments of its factory, so a new
option never touches this schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from equipoise.data.dataset import LARGEST_SIDE, SMALLEST_SIDE, Crop
from equipoise.experiment.config.outputs import OutputsConfig
from equipoise.experiment.config.section import Section
from equipoise.game import Schedule, UpdateRule
from equipoise.game.update_rules import UpdateRuleName


class PartConfig(Section):
    """A part by name, or by import path `package.module:factory`, with its factory's options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


def _part_from_text(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Part = Annotated[PartConfig, BeforeValidator(_part_from_text)]


class DataConfig(Section):
    """Where the samples come from and how they are read."""

    source: str = Field(description="A path or a built-in name.")
    kind: Literal["points", "images", "table"] | None = Field(None, description="What the data are; null decides.")
    image_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = Field(
        None,
        description="Side (or height, width) that images are brought to; null keeps the one of images that all have "
        "one of 8 to 64 pixels a side, else takes the largest of 8, 16, 32, 64 near their median short side.",
    )
    crop: Crop = Field(
        "center",
        description="Where images of other proportions are cropped: at the centre, at a place drawn for each, or none: "
        "the whole image is scaled to the target.",
    )
    mirror: bool = Field(False, description="Whether a picture and its mirror image are equally likely.")
    background: str | None = Field(
        None, description="A colour that transparent images are put on, such as white; null keeps the transparency."
    )
    labels: str | None = Field(None, description="Column or array that holds class labels.")
    use_labels: bool = Field(True, description="Whether folder names and label arrays become classes.")
    drop: tuple[str, ...] = Field((), description="Columns to leave out.")
    missing: tuple[str, ...] = Field(
        (), description="What means in a text file that nothing is there, beyond blanks, NA and the like."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Kinds of columns, where reading decides otherwise: number, integer, category, boolean, date, "
        "duration, time, key, text or drop; a date may be followed by its form, as in 'date %d/%m/%Y'.",
    )
    rules: tuple[str, ...] = Field(
        (),
        description="What holds between columns in every row, and in every generated one: 'a <= b', 'a + b = c', "
        "'fixed(a, b)', 'unique(a, b)'.",
    )
    group: str | None = Field(
        None,
        description="Column of a table that says which rows belong together, such as a patient; it is taken out, and "
        "no group is split between the parts.",
    )
    dependences: bool = Field(
        True, description="Whether columns that another one decides in every training row are read off from it."
    )
    day_first: bool | None = Field(
        None, description="Whether dates such as 01/02/2024 begin with the day; null decides where a column shows it."
    )
    white: PositiveInt | None = Field(
        None, description="Value of a white pixel in images of more than 8 bits, such as 4095; null is 65,535."
    )
    max_bad_share: float = Field(0.05, ge=0, le=1, description="Share of unreadable images above which reading stops.")
    points: PositiveInt = Field(100_000, description="Points drawn of the built-in point sets.")
    sample_weight: str | None = Field(
        None, description="Column or array that says how often each row is wanted; it is taken out of the data."
    )
    balance: Literal["none", "classes"] = Field("none", description="Whether training draws all classes equally often.")

    @field_validator("image_size", mode="before")
    @classmethod
    def _is_size(cls, value: Any) -> Any:
        """One sentence on all of it: the two forms of a size would each be refused in words of their own."""
        sides = value if isinstance(value, (list, tuple)) else [value]
        is_whole = all(str(side).isdecimal() and int(side) > 0 for side in sides)
        if value is not None and not (is_whole and len(sides) == 1 + isinstance(value, (list, tuple))):
            raise ValueError(f"a side of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels (--size), or [height, width]")
        return value

    @field_validator("labels", "sample_weight", "group", "drop", "missing", mode="before")
    @classmethod
    def _names_of_columns(cls, value: Any) -> Any:
        """YAML reads 2019 as a number; a column may be called so."""

        def named(entry: Any) -> Any:
            return str(entry) if isinstance(entry, int) and not isinstance(entry, bool) else entry

        return [named(entry) for entry in value] if isinstance(value, (list, tuple)) else named(value)


class NetworksConfig(Section):
    """The two networks."""

    family: str
    latents: PositiveInt = Field(description="Width of the generator's input.")
    conditional: bool = Field(False, description="Whether both players are given class labels.")
    generator: dict[str, Any] = Field(default_factory=dict)
    discriminator: dict[str, Any] = Field(default_factory=dict)


class TrainingConfig(Section):
    """How the two players are updated."""

    update_rule: UpdateRuleName = "alternating"
    n_critic: PositiveInt = Field(1, description="Discriminator updates per step.")
    generator_updates: PositiveInt = Field(1, description="Generator updates per step.")
    consensus_weight: PositiveFloat = Field(1.0, description="Weight of the consensus term, for the two such rules.")
    batch_size: PositiveInt = Field(description="Samples of each side in one update.")
    steps: PositiveInt = Field(description="Steps in the whole run.")
    init_from: str | None = Field(
        None,
        description="A run folder, or one that 'equipoise export --folder' wrote, whose weights both players begin "
        "with as far as their shapes fit; networks are made like its own unless they are set. null: drawn weights.",
    )
    shared_batch: bool = Field(
        False,
        description="Whether the generator's update uses the batch of the discriminator's, whose samples are then made "
        "once; for alternating and simultaneous updates, one of each player.",
    )
    latents: Literal["independent", "antithetic"] = Field(
        "independent",
        description="Whether a batch's latents are drawn one by one, or half of them and then the same with a minus.",
    )
    real_batches: Literal["shuffled", "stratified"] = Field(
        "shuffled",
        description="Whether a batch's rows come in random order, every row once an epoch, or one from each of as many "
        "equal stretches of a k-d order of the rows: batches that run evenly through the data.",
    )
    gradients: Literal["autograd", "closed_form"] = Field(
        "autograd",
        description="closed_form makes the steps of the points preset's own game without autograd, in half of the "
        "time and to the same order of float32 sums; other games are left to autograd.",
    )

    @property
    def rule(self) -> UpdateRule:
        """The update rule that these settings describe."""
        return UpdateRule(
            self.update_rule, self.n_critic, self.generator_updates, self.consensus_weight, self.shared_batch
        )

    @model_validator(mode="after")
    def _rule_exists(self) -> TrainingConfig:
        assert self.rule  # whose own checks name what is wrong
        return self


class WarmStartConfig(Section):
    """A stage before the game."""

    name: Literal["likelihood"] = Field(
        "likelihood", description="likelihood fits the generator alone, where it knows its density (columnwise)."
    )
    share: float = Field(0.9, gt=0, lt=1, description="Most of the planned steps that it has; the game has the rest.")
    passes: PositiveFloat | None = Field(
        30, description="Most passes over the training rows, but never below 300 steps; null: as many as its share has."
    )
    steps: PositiveInt | None = Field(
        None, description="How many it has; left out, share and passes decide, and the number is stored."
    )
    learning_rate: PositiveFloat = Field(3e-3, description="Of AdamW, with a warm-up and a cosine down to a hundredth.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of the generator's hidden units set to zero.")
    weight_decay: float = Field(1e-4, ge=0, description="Of AdamW.")


def _stage_from_text(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class ParameterGroupConfig(Section):
    """What differs for one group of a network's parameters."""

    factor: PositiveFloat = Field(1.0, description="On the player's learning rate.")
    floor: float = Field(0.0, ge=0, le=1, description="Below which the learning-rate schedule does not take it.")


class OptimizerConfig(Section):
    """One player's optimizer: a class of torch.optim, or GrowingAdam, and its arguments."""

    name: str = "Adam"
    learning_rate: PositiveFloat
    options: dict[str, Any] = Field(default_factory=lambda: {"betas": [0.0, 0.99]})
    clip_norm: PositiveFloat | None = Field(None, description="Longest gradient a step is made with; null: any.")
    clip_growth: float | None = Field(
        None,
        gt=1,
        description="Most that the gradient of a tensor of weights may grow over the root mean square of recent ones, "
        "which Adam remembers; null: any. It keeps high learning rates stable.",
    )
    groups: dict[str, ParameterGroupConfig] = Field(
        default_factory=dict,
        description="Rates of their own for groups of parameters that the network names (mixture_prior: means, scales, "
        "weights, body): each a mapping with `factor`, on the learning rate, and `floor`, below which the schedule "
        "does not take its factor.",
    )


class OptimizersConfig(Section):
    """Both players' optimizers, and the factor on their learning rates over the run."""

    generator: OptimizerConfig
    discriminator: OptimizerConfig
    lr_schedule: Schedule = Field(
        Schedule(),
        description="`shape` (constant, linear, cosine, geometric), `final` factor, `warmup_steps`, `reached_at`: "
        "the share of the planned steps after which the final factor is reached, and `full_steps`: a run of more "
        "planned steps begins at sqrt(full_steps / steps) of the learning rates; null: always at the whole.",
    )


class EmaConfig(Section):
    """The EMA of the generator's weights, from which samples are drawn."""

    relative_length: float = Field(
        0.05, ge=0, lt=1, description="How far back it reaches, as a share of the steps so far."
    )


class RecoveryConfig(Section):
    """What happens when training leaves the finite numbers, or when an interim evaluation says that it has
    collapsed."""

    rollbacks: NonNegativeInt = Field(
        3, description="How often, in the whole run, training may go back to a checkpoint; 0: it ends at once."
    )
    learning_rate_factor: float = Field(
        0.5, gt=0, le=1, description="Factor on both learning rates from a rollback on, on top of earlier ones."
    )
    on_collapse: Literal["rollback", "stop", "continue"] = Field(
        "continue", description="What to do when an evaluation's trend is 'collapsed' or 'diverged'."
    )
    on_rise: Literal["lower", "continue"] = Field(
        "lower",
        description="What to do when the estimated distance rises beyond chance, in a run that keeps the best weights: "
        "'lower' goes on from these with a lower learning rate once, and ends the run at the next rise; 'continue' "
        "leaves the planned learning rates as they are.",
    )


CHOSEN_AT_START = ("count", "samples", "classifiers", "sensitivity", "duality_gap_steps", "keep_best")
"""Settings of `evaluations` that a run chooses, by timing, and stores, where they are left out."""


class EvaluationsConfig(Section):
    """The referee's interim evaluations. What is left out is chosen when the run starts, from timed evaluations, and
    stored; it never changes the training itself, unless `until` ends it."""

    count: NonNegativeInt | None = Field(
        None,
        description="How many interim evaluations there are; 0: none. Left out: as many as fit in 7 % of the time of "
        "the run, by a timed step and a timed evaluation, at most 20; three where two fit.",
    )
    confidence: float = Field(
        0.95, ge=0.5, lt=1, description="Of all evaluations together, those of a longer run included."
    )
    samples: PositiveInt | None = Field(None, description="Most rows of the selection part that an evaluation scores.")
    classifiers: Literal["quick", "all"] | None = Field(None, description="Which classifiers an evaluation fits.")
    sensitivity: Literal["theoretical", "quick"] | None = Field(
        None,
        description="What an evaluation says of its minimum detectable effect: computed, or measured by injection "
        "once before the first step.",
    )
    duality_gap_steps: NonNegativeInt | None = Field(
        None, description="Steps that each player's copy goes on alone to measure the duality gap; 0: not measured."
    )
    until: Literal["not-distinguished"] | None = Field(
        None, description="End at the first evaluation that says so ('equivalent', where a margin is given)."
    )
    margin: PositiveFloat | None = Field(None, lt=0.6931, description="The JSD in nats that is small enough.")
    metrics: tuple[str, ...] = Field((), description="What each also measures, such as frechet_distance; [] is none.")
    features: str | None = Field(
        None, description="What these compare images by, as 'equipoise metrics --features'; null: their pixels."
    )
    keep_best: bool | None = Field(
        None,
        description="Whether the weights with the smallest estimated distance (to a quarter of its standard error, "
        "or below what it can see, then the latest) are kept, and used for samples, verdict and report. Left out: in "
        "every run with evaluations. true: with at least 3 of them.",
    )

    def settled_like(self, run: EvaluationsConfig) -> EvaluationsConfig:
        """These wishes with the choices that a run made of what they leave open."""
        left_open = [name for name in CHOSEN_AT_START if getattr(self, name) is None]
        return self.model_copy(update={name: getattr(run, name) for name in left_open})

    @model_validator(mode="after")
    def _goals_need_evaluations(self) -> EvaluationsConfig:
        if self.margin is not None and self.until is None:
            raise ValueError(
                "evaluations.margin says how close is close enough for evaluations.until: set that too, or leave it"
            )
        if self.count == 0 and (self.until is not None or self.keep_best is True):
            raise ValueError(
                "without evaluations nothing is found and no checkpoint is the best: leave evaluations.count out"
            )
        if self.count == 0 and self.metrics:
            raise ValueError("evaluations.metrics are measured at evaluations: leave evaluations.count out")
        if self.features is not None and not self.metrics:
            raise ValueError("evaluations.features are for evaluations.metrics: name some, e.g. [frechet_distance]")
        return self


class RuntimeConfig(Section):
    """Where the run is computed."""

    device: Literal["cpu", "cuda", "mps"] = "cpu"
    threads: PositiveInt = Field(
        description="CPU threads; bit-identity is promised at the same number. The preset of images leaves it open: "
        "one thread and all are timed before the run, and the faster number is stored."
    )
    precision: Literal["float32", "bf16"] = "float32"
    channels_last: bool = Field(
        False,
        description="Whether the weights of image networks lie in memory with channels last, as tensor cores read "
        "them. The numbers are the same but for the order of float32 sums.",
    )


class RunConfig(Section):
    """Everything that decides a run, apart from the data themselves."""

    format: Literal[2] = 2
    preset: str
    seed: NonNegativeInt = 0
    data: DataConfig
    networks: NetworksConfig
    objective: Part
    penalties: tuple[Part, ...] = ()
    gamma: Schedule = Field(
        Schedule(),
        description="Factor on the weight of r1 and r2 over the run, as lr_schedule. 'gamma: auto' asks for weights "
        "and decay from the spread of the training data; the numbers that it finds are stored.",
    )
    augmentation: dict[str, dict[str, Any] | None] = Field(
        default_factory=lambda: {"instance_noise": None},
        description="What both players see in place of the bare samples: one augmentation, by name or by import path, "
        "with its factory's options; null is none.",
    )
    training: TrainingConfig
    warm_start: Annotated[WarmStartConfig | None, BeforeValidator(_stage_from_text)] = Field(
        None, description="A stage before the game, such as `likelihood`, with its options; null is none."
    )
    optimizers: OptimizersConfig
    ema: EmaConfig = EmaConfig()
    recovery: RecoveryConfig = RecoveryConfig()
    evaluations: EvaluationsConfig = EvaluationsConfig()
    outputs: OutputsConfig
    runtime: RuntimeConfig
    python: dict[str, str] = Field(
        default_factory=dict,
        description="Places whose part was given as a Python object, and what it was. Whoever goes on with such a run "
        "gives the objects again.",
    )

    @property
    def stage_steps(self) -> int:
        """Steps of the stage before the game: at least one, and at least one is left to the game."""
        section, total = self.warm_start, self.training.steps
        if section is None or total < 2:
            return 0
        return min(max(1, section.steps or round(section.share * total)), total - 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, complete."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The complete configuration, as `config.yaml` holds it."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
