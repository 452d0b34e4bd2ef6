from types import SimpleNamespace

import pytest

from curation.errors import InputError
from curation.trainer.models import create
from curation.trainer.presets import PRESETS, resolve


def told(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(**{"init": None, **settings})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_built(name: str) -> None:
    recipe = resolve(name, told(init="run"))
    sizes = {"image_size": recipe.image_size, "context_length": recipe.context_length}
    model = create(recipe.model, device="meta", **sizes)
    assert model.preprocessing.image_size == (recipe.image_size or model.preprocessing.image_size)
    assert recipe.samples_seen % recipe.batch_size == 0 or recipe.samples_seen > 1000 * recipe.batch_size


def test_published_settings() -> None:
    small, metaclip = PRESETS["datacomp-small"], PRESETS["metaclip-400m"]
    assert (small.model, small.samples_seen, small.batch_size) == ("ViT-B-32", 12_800_000, 4096)
    assert (small.learning_rate, small.warmup_steps, small.weight_decay) == (5e-4, 500, 0.2)
    assert (metaclip.samples_seen, metaclip.batch_size, metaclip.warmup_steps) == (
        12_800_000_000,
        32768,
        2000,
    )
    clipa = PRESETS["clipa-b16"]
    assert clipa.learning_rate == pytest.approx(8e-6 * clipa.batch_size / 256)
    assert (clipa.image_size, clipa.context_length, clipa.beta2) == (112, 16, 0.95)


def test_what_the_user_says_wins() -> None:
    recipe = resolve("datacomp-small", told(batch_size=512, model="tiny", learning_rate=None))
    assert (recipe.batch_size, recipe.model, recipe.learning_rate) == (512, "tiny", 5e-4)


def test_a_short_run_warms_up_for_a_tenth_of_it_unless_told() -> None:
    short = told(samples_seen=409_600)
    assert resolve("datacomp-small", short).warmup_steps == 10
    assert resolve("datacomp-small", told(samples_seen=409_600, warmup_steps=50)).warmup_steps == 50
    assert resolve("datacomp-small", told()).warmup_steps == 312  # of 3,125: published is 500


@pytest.mark.parametrize(
    ("preset", "settings", "word"),
    [
        ("datacomp", {}, "datacomp-small"),
        ("smoke", {"samples_seen": 127}, "--samples-seen 127"),
        ("clipa-b16-full-size", {}, "--init RUN"),
    ],
)
def test_what_cannot_be_is_refused(preset: str, settings: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        resolve(preset, told(**settings))
