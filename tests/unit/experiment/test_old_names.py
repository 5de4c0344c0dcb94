"""Names of version 0.1.0 are understood for one minor version, each with a note that says today's."""

import re
import warnings

import pytest

from equipoise.errors import OldName
from equipoise.experiment.config.files import read_config
from equipoise.experiment.config.overrides import read_settings
from equipoise.old_names import SECTIONS, SETTINGS, standard_configuration


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("play.order=simultaneous", {"training": {"update_rule": "simultaneous"}}),
        ("play.order=consensus_in_turns", {"training": {"update_rule": "alternating_consensus"}}),
        ("training.order=optimistic", {"training": {"update_rule": "optimistic"}}),
        ("play.discriminator_turns=3", {"training": {"n_critic": 3}}),
        ("optimisers.course.final=0.5", {"optimizers": {"lr_schedule": {"final": 0.5}}}),
        ("averaging.share=0.1", {"ema": {"relative_length": 0.1}}),
        ("looks.resolution=screen", {"evaluations": {"sensitivity": "quick"}}),
        ("play={order: optimistic}", {"training": {"update_rule": "optimistic"}}),
        ("looks.count=0", {"evaluations": {"count": 0}}),
    ],
)
def test_an_old_setting_is_read_and_its_new_name_is_told(written, read):
    with pytest.warns(OldName, match=rf"--set {re.escape(written)}: .* is now '{next(iter(read))}"):
        assert read_settings([written]) == read


def test_todays_settings_are_read_without_a_note():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_settings(["training.n_critic=2", "ema.relative_length=0.1"])


@pytest.mark.parametrize("is_marked", [True, False], ids=["of format 1", "written by a person"])
def test_an_old_file_is_read_under_todays_names(tmp_path, is_marked):
    path = tmp_path / "mine.yaml"
    path.write_text(
        ("format: 1\n" if is_marked else "")
        + "play:\n  order: consensus_in_turns\n  batch_size: 8\naveraging:\n  share: 0.1\n"
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        content, lines = read_config(path)
    assert content["training"] == {"update_rule": "alternating_consensus", "batch_size": 8}
    assert content["ema"] == {"relative_length": 0.1}
    # A run folder's file says its format and is brought up to date in silence; a person is told what to write.
    assert [type(one.message) for one in told] == ([] if is_marked else [OldName])
    if not is_marked:
        assert "'play.order' is now 'training.update_rule'" in str(told[0].message)
        assert "batch_size" not in str(told[0].message)
        assert (lines["training.update_rule"], lines["ema"]) == (2, 4)


def test_an_old_name_beside_its_new_one_is_left_for_the_schema_to_refuse():
    content, renamed = standard_configuration({"training": {"order": "a", "update_rule": "b"}})
    assert content == {"training": {"order": "a", "update_rule": "b"}} and not renamed


def test_every_old_name_leads_to_a_setting_that_there_is():
    from equipoise.experiment.config.schema import RunConfig

    def names(model):
        return set(getattr(model, "model_fields", getattr(model, "__dataclass_fields__", {})))

    assert set(SECTIONS.values()) <= names(RunConfig)
    for path, renamed in SETTINGS.items():
        if "." not in path:
            assert set(renamed.values()) <= names(RunConfig.model_fields[path].annotation), path


def test_the_old_keyword_of_judge_is_taken_with_a_warning():
    import numpy as np

    import equipoise as eq

    rows = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.warns(OldName, match="resolution='floor' is now sensitivity='theoretical'"):
        old = eq.judge(rows[:100], rows[100:], resolution="floor")
    assert old.sensitivity == eq.judge(rows[:100], rows[100:], sensitivity="theoretical").sensitivity
    with pytest.raises(TypeError, match="unexpected keyword argument 'resolutoin'"):
        eq.judge(rows, rows, resolutoin="floor")


def test_an_old_name_of_the_package_is_answered_with_todays():
    import equipoise as eq

    with pytest.raises(AttributeError, match="no attribute 'play_step'; it is now 'train_step'"):
        eq.play_step  # noqa: B018
