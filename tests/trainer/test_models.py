import importlib
import json
import os
import pickle
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from safetensors.torch import load_file, save_file

from curation.errors import InputError
from curation.trainer import models, sources

TINY_VIT = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
# What the hub would have to give for these towers: only their kind matters on the meta device.
TOWERS = {
    "roberta-base": "RobertaConfig",
    "xlm-roberta-base": "XLMRobertaConfig",
    "xlm-roberta-large": "XLMRobertaConfig",
    "google/mt5-base": "MT5Config",
    "google/mt5-xl": "MT5Config",
    "facebook/nllb-200-distilled-600M": "M2M100Config",
    "facebook/nllb-200-distilled-1.3B": "M2M100Config",
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def no_hub(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network\nhere")

    monkeypatch.setattr("open_clip.hf_model.AutoConfig.from_pretrained", refuse)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", refuse)


def write(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def vit(folder: Path, **changes: dict) -> str:
    content = {key: dict(value) if isinstance(value, dict) else value for key, value in TINY_VIT.items()}
    for key, value in changes.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    return write(folder / "small.json", content)


def weights(model: models.Model) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.module.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def saved(model: models.Model, folder: Path) -> Path:
    folder.mkdir(parents=True)
    models.save(model, folder)
    return folder


def test_every_configuration_of_open_clip_is_built(monkeypatch):
    transformers = pytest.importorskip("transformers")
    built = []

    def tower(name):
        return getattr(transformers, TOWERS[name])()

    monkeypatch.setattr("open_clip.hf_model.AutoConfig.from_pretrained", tower)
    # Nothing to fill on the meta device, and half of the time goes there.
    monkeypatch.setattr("timm.layers.weight_init._trunc_normal_", lambda tensor, *rest: tensor)
    for name in open_clip.list_models():
        if name.startswith("coca_"):
            continue
        model = models.create(name, device="meta")
        assert {parameter.device.type for parameter in model.module.parameters()} == {"meta"}, name
        assert model.preprocessing.image_size == open_clip.get_model_config(name)["vision_cfg"]["image_size"]
        built.append(name)
    assert len(built) >= 140
    assert {"RN50x64", "ViT-bigG-14", "ViT-L-14-336", "ViT-H-14-CLIPA-336", "ViT-H-14-worldwide"} <= set(
        built
    )


def test_our_own_are_built():
    for name in ("tiny", "CLIPA-B-16-bpe"):
        assert models.create(name, device="meta").name == name
        assert name in sources.names()


@pytest.mark.parametrize("name", ["coca_base", "coca_roberta-ViT-B-32"])
def test_coca_is_refused_for_its_loss(name):
    with pytest.raises(InputError, match=f"model {name}: CoCa .* loss"):
        models.create(name, device="meta")


def test_a_hub_that_cannot_be_reached_is_named(no_hub):
    with pytest.raises(InputError, match=r"text tower roberta-base .*hub.*: no network here"):
        models.create("roberta-ViT-B-32", device="meta")
    with pytest.raises(RuntimeError, match="hub"):
        models.create("ViT-L-14-CLIPA", device="meta").tokenizer(["a dog"])


def test_a_tokenizer_that_cannot_be_had_is_named(no_hub, tmp_path):
    path = vit(tmp_path, text_cfg={"hf_tokenizer_name": "bert-base-uncased"})
    with pytest.raises(InputError, match=r"tokenizer bert-base-uncased .*hub.*: no network here"):
        models.create(path)


@pytest.mark.parametrize("custom", [False, True])
def test_weights_are_open_clips_and_depend_on_the_seed_alone(tmp_path, custom):
    path = vit(tmp_path, custom_text=custom)
    state = torch.get_rng_state()
    model = models.create(path, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(77)
    assert same(weights(model), weights(models.create(path, seed=5)))
    assert not same(weights(model), weights(models.create(path, seed=6)))

    write(tmp_path / "open_clip_config.json", {"model_cfg": model.config, "preprocess_cfg": {}})
    torch.manual_seed(5)
    theirs = open_clip.create_model(f"local-dir:{tmp_path}", load_weights=False)
    assert same(weights(model), theirs.state_dict())
    assert type(model.module) is type(theirs)
    assert any(key.startswith("text.") for key in theirs.state_dict()) == custom


def test_image_size_and_context_length_can_be_chosen(tmp_path):
    path = vit(tmp_path)
    model = models.create(path, image_size=16, context_length=9)
    assert model.preprocessing.image_size == 16
    assert model.config["vision_cfg"]["image_size"] == 16
    assert model.module.visual.positional_embedding.shape[0] == 2 * 2 + 1
    assert model.module.positional_embedding.shape[0] == 9
    assert model.tokenizer(["a dog"]).shape == (1, 9)
    assert model.tokenizer(["a dog"]).dtype == torch.int64
    assert models.create("ViT-B-32", image_size=64, device="meta").config["vision_cfg"]["image_size"] == 64
    assert open_clip.get_model_config("ViT-B-32")["vision_cfg"]["image_size"] == 224


def test_json_with_preprocessing(tmp_path):
    preprocess = {"size": 999, "mean": [0.1, 0.2, 0.3], "interpolation": "bilinear", "resize_mode": "squash"}
    path = write(
        tmp_path / "open_clip_config.json",
        {"model_cfg": TINY_VIT, "preprocess_cfg": preprocess | {"std": None}},
    )
    model = models.create(path, device="meta")
    assert model.name == tmp_path.name
    assert model.preprocessing == models.Preprocessing(
        32, (0.1, 0.2, 0.3), open_clip.OPENAI_DATASET_STD, "bilinear", "squash"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a model's JSON"),
        ("[1]", "not a model's JSON"),
        (json.dumps({"embed_dim": 4, "vision_cfg": {}}), "no model of open_clip's"),
        (json.dumps({"model_cfg": 4}), "no model of open_clip's"),
        (json.dumps({"model_cfg": None}), "no model of open_clip's"),
        (json.dumps(TINY_VIT | {"colour": 1}), "cannot be built: .*colour"),
        (json.dumps(TINY_VIT | {"text_cfg": {"heads": 3, "width": 32}}), "cannot be built"),
        (json.dumps({key: value for key, value in TINY_VIT.items() if key != "embed_dim"}), "embed_dim"),
        (json.dumps(TINY_VIT | {"vision_cfg": {"image_size": [32, 64]}}), "32 x 64"),
        (
            json.dumps({"model_cfg": TINY_VIT, "preprocess_cfg": {"resize_mode": "bend"}}),
            "preprocess_cfg: .*bend",
        ),
    ],
)
def test_wrong_json_is_told_on_one_line(tmp_path, content, message):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        models.create(str(tmp_path / "bad.json"), device="meta")
    assert "\n" not in str(caught.value)
    assert "bad" in str(caught.value)


def test_a_square_as_two_numbers_is_a_square(tmp_path):
    path = vit(tmp_path, vision_cfg={"image_size": [32, 32]})
    assert models.create(path, device="meta").preprocessing.image_size == 32


@pytest.mark.parametrize("name", ["ViT-B-33", "nothing-like-it", "missing.json", "tiny-quickgelu-quickgelu"])
def test_unknown_names_are_told_with_near_ones(name):
    with pytest.raises(InputError, match=name):
        models.create(name, device="meta")
    with pytest.raises(InputError, match="ViT-B-32"):
        models.create("ViT-B-33", device="meta")


def test_names_with_a_slash_and_with_quickgelu():
    assert models.create("ViT-B/32", device="meta").name == "ViT-B-32"
    for plain in ("ViT-B-32", "ViT-L-16-320", "tiny"):
        quick = models.create(f"{plain}-quickgelu", device="meta")
        assert quick.config["quick_gelu"] is True
        assert any(isinstance(module, QuickGELU) for module in quick.module.modules())
        slow = models.create(plain, device="meta")
        assert not any(isinstance(module, QuickGELU) for module in slow.module.modules())


def test_loss_is_sigmoid_where_there_is_a_bias(tmp_path):
    assert models.create(vit(tmp_path), device="meta").loss == "softmax"
    assert models.create(vit(tmp_path, init_logit_bias=0), device="meta").loss == "sigmoid"
    assert models.create("ViT-B-16-SigLIP", device="meta").loss == "sigmoid"


def test_short_contexts_keep_the_end_token(tmp_path):
    model = models.create(vit(tmp_path), context_length=6, device="meta")
    start, end = 49406, 49407
    tokens = model.tokenizer(["a dog", "one two three four", "one two three four five", ""])
    assert tokens[:, 0].tolist() == [start] * 4
    assert tokens[0].tolist()[3:] == [end, 0, 0]
    assert tokens[1, -1] == tokens[2, -1] == end
    assert torch.equal(tokens[1], tokens[2])
    assert tokens[3].tolist() == [start, end, 0, 0, 0, 0]


def test_clipa_with_bpe_pools_a_last_position_that_sees_the_whole_text():
    model = models.create("CLIPA-B-16-bpe", device="meta")
    assert model.preprocessing.resize_mode == "squash"
    text = model.config["text_cfg"] | {"layers": 2, "width": 32, "heads": 2}
    tower = open_clip.CLIP(16, TINY_VIT["vision_cfg"], text).eval()
    tokens = model.tokenizer(["a dog", "the dog", "a cat", "", "dog " * 100, "dog " * 29 + "cat " * 9])
    assert tokens.shape == (6, 32)
    assert tokens[:, -1].tolist() == [0, 0, 0, 0, 49407, 49407]
    with torch.no_grad():
        features = tower.encode_text(tokens, normalize=True)
    distances = torch.cdist(features, features)
    assert distances[~torch.eye(6, dtype=bool)].min() > 1e-3


def test_save_and_load_give_the_same_model(tmp_path):
    model = models.create("tiny", seed=3)
    model.module.visual.bn1.running_mean += 1
    folder = saved(model, tmp_path / "out")
    again = models.load(str(folder))
    assert same(weights(model), weights(again))
    assert (again.name, again.config, again.loss) == ("tiny", model.config, "softmax")
    assert again.preprocessing == model.preprocessing
    assert torch.equal(again.tokenizer(["a dog"]), model.tokenizer(["a dog"]))
    assert sorted(path.name for path in folder.iterdir()) == [sources.CONFIG, sources.WEIGHTS]


def test_preprocessing_and_name_survive(tmp_path):
    content = {"model_cfg": TINY_VIT, "preprocess_cfg": {"mean": [0, 0, 0], "resize_mode": "squash"}}
    model = models.create(write(tmp_path / "mine.json", content))
    again = models.load(str(saved(model, tmp_path / "out")))
    assert again.name == "mine"
    assert (
        again.preprocessing
        == model.preprocessing
        == models.Preprocessing(32, (0, 0, 0), resize_mode="squash")
    )


def test_a_run_is_its_latest_whole_checkpoint(tmp_path):
    path = vit(tmp_path)
    run = tmp_path / "run"
    for number, name in enumerate(("000000000900", "000000010000", "_000000020000")):
        saved(models.create(path, seed=number), run / "checkpoints" / name)
    assert same(weights(models.load(str(run))), weights(models.create(path, seed=1)))
    one = run / "checkpoints" / "000000000900"
    assert same(weights(models.load(str(one))), weights(models.create(path, seed=0)))


def test_checkpoints_that_are_not_there(tmp_path):
    (tmp_path / "run" / "checkpoints" / "_000000000100").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    write(tmp_path / "half" / sources.CONFIG, TINY_VIT)
    with pytest.raises(InputError, match="no complete checkpoint"):
        models.load(str(tmp_path / "run"))
    for folder in ("empty", "half"):
        with pytest.raises(InputError, match=f"{folder}: no open_clip_config"):
            models.load(str(tmp_path / folder))
    with pytest.raises(InputError, match="no such folder"):
        models.load(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"no file nowhere\.pt"):
        models.load("tiny=nowhere.pt")


@pytest.mark.parametrize("custom", [False, True])
def test_embeddings_are_interpolated_as_open_clip_does(tmp_path, custom):
    model = models.create(vit(tmp_path, custom_text=custom), seed=2)
    folder = saved(model, tmp_path / "out")
    again = models.load(str(folder), image_size=48, context_length=11)
    theirs = open_clip.create_model(f"local-dir:{folder}", force_image_size=48, force_context_length=11)
    assert same(weights(again), theirs.state_dict())
    assert again.preprocessing.image_size == again.config["vision_cfg"]["image_size"] == 48
    assert again.tokenizer(["a dog"]).shape == (1, 11)
    assert again.module.visual.positional_embedding.shape[0] == 6 * 6 + 1
    first = model.module.visual.positional_embedding[0]
    assert torch.equal(again.module.visual.positional_embedding[0], first)


def test_a_resnet_cannot_be_interpolated_and_says_so(tmp_path):
    folder = saved(models.create("tiny"), tmp_path / "out")
    with pytest.raises(InputError, match="does not fit model tiny") as caught:
        models.load(str(folder), image_size=96)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["safetensors", "plain", "wrapped"])
def test_name_and_file(tmp_path, kind):
    path = vit(tmp_path)
    state = weights(models.create(path, seed=4))
    if kind == "safetensors":
        save_file(state, tmp_path / "w.safetensors")
    elif kind == "plain":
        torch.save(state, tmp_path / "w.bin")
    else:
        wrapped = {f"module.{key}": value for key, value in state.items()}
        torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": {"lr": 0.1}}, tmp_path / "w.pt")
    file = next(tmp_path.glob("w.*"))
    model = models.load(f"{path}={file}", context_length=7)
    assert model.name == "small"
    assert torch.equal(model.module.visual.conv1.weight, state["visual.conv1.weight"])
    assert model.module.positional_embedding.shape[0] == 7


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("torch_format", [True, False])
@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, protocol, torch_format, where, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # what some set to read old files
    path = vit(tmp_path)
    content = {"state_dict": weights(models.create(path)), "code": Code(tmp_path / "run")}
    folder = tmp_path / "out"
    folder.mkdir()
    write(folder / sources.CONFIG, TINY_VIT)
    file = folder / "open_clip_pytorch_model.bin"
    if torch_format:
        torch.save(content, file, pickle_protocol=protocol)
    else:
        file.write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(InputError, match=r"open_clip_pytorch_model\.bin.*code.*safetensors"):
        models.load(f"{path}={file}" if where == "file" else str(folder))
    assert not (tmp_path / "run").exists()


def test_files_that_do_not_fit(tmp_path):
    path = vit(tmp_path)
    state = weights(models.create(path))
    bad = {
        "other.safetensors": state | {"ln_final.weight": torch.zeros(5)},
        "less.safetensors": {key: value for key, value in state.items() if key != "ln_final.weight"},
        "width.safetensors": state | {"positional_embedding": torch.zeros(20, 5)},
    }
    for name, content in bad.items():
        save_file(content, tmp_path / name)
    torch.save({}, tmp_path / "none.pt")
    torch.save(5, tmp_path / "number.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({b"key": torch.zeros(1)}, tmp_path / "bytes.pt")
    for name in (*bad, "none.pt", "number.pt", "list.pt", "bytes.pt"):
        with pytest.raises(InputError, match=f"{name}: does not fit model small") as caught:
            models.load(f"{path}={tmp_path / name}")
        assert "\n" not in str(caught.value)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:1000])
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("cut.safetensors", "empty.pt"):
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            models.load(f"{path}={tmp_path / name}")
    (tmp_path / "w.npz").write_bytes(b"")
    with pytest.raises(InputError, match="weights are read from"):
        models.load(f"{path}={tmp_path / 'w.npz'}")


def test_a_tag_brings_its_activation_and_preprocessing(tmp_path, monkeypatch):
    model = models.create("tiny", seed=9)
    folder = saved(model, tmp_path / "out")
    cfg = {"mean": (0.5, 0.5, 0.5), "quick_gelu": True, "file": str(folder / sources.WEIGHTS)}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, tag: cfg if tag == "good" else {})
    loaded = models.load("tiny:good")
    assert same(weights(loaded), weights(model))
    assert loaded.config == model.config | {"quick_gelu": True}
    assert loaded.preprocessing.mean == (0.5, 0.5, 0.5)


def test_tags_that_cannot_be_had(monkeypatch):
    def refuse(cfg):
        raise FileNotFoundError("no\nnetwork")

    monkeypatch.setattr(open_clip, "download_pretrained", refuse)
    with pytest.raises(InputError, match="ViT-B/32:openai: cannot be downloaded: no network"):
        models.load("ViT-B/32:openai")
    with pytest.raises(InputError, match=r"ViT-B/32:none: .* openai, .*datacomp_xl"):
        models.load("ViT-B/32:none")


def test_tokenizers_of_a_hub_travel_with_the_folder(tmp_path, no_hub, monkeypatch):
    transformers = pytest.importorskip("transformers")
    monkeypatch.undo()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    options = {"hf_tokenizer_name": "not/there", "tokenizer_kwargs": {"strip_sep_token": True}}
    path = vit(tmp_path, text_cfg=options)
    model = models.create(path)
    assert model.tokenizer(["a dog"]).tolist() == [[2, 5, 6] + [0] * 17]
    folder = saved(model, tmp_path / "out")
    assert torch.equal(models.load(str(folder)).tokenizer(["a cat"]), model.tokenizer(["a cat"]))
    theirs = open_clip.get_tokenizer(f"local-dir:{folder}")
    assert torch.equal(theirs(["a cat"]), model.tokenizer(["a cat"]))


def test_tied_weights_are_saved(tmp_path):
    module = torch.nn.Module()
    module.one = torch.nn.Linear(3, 2)
    module.two = module.one
    module.turned = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
    save_file(models.plain_weights(module), tmp_path / "w.safetensors")
    assert same(load_file(tmp_path / "w.safetensors"), module.state_dict())


def test_nothing_is_fetched_when_imported():
    assert importlib.reload(sources).names()[-1] == "tiny"
