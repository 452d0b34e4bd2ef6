"""Lists of samples, against plain Python over the same rows."""

import hashlib
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config.subset import Subset
from curation.core.identity import image_id, pair_uid, uniform
from curation.errors import InputError
from curation.trainer.data.index import build
from curation.trainer.data.shard import text_id
from curation.trainer.subset import subset

SCORED = pa.schema(
    [
        ("shard", pa.string()),
        ("key", pa.string()),
        ("uid", pa.string()),
        ("text_number", pa.int32()),
        ("similarity", pa.float32()),
    ]
)


def make_rows(number: int, images: int) -> list[dict]:
    """Images with one to three texts; every seventh failed."""
    rows = []
    for n in range(images):
        url, texts = f"http://x/{number}/{n}", [f"text {number} {n} {m}" for m in range(1 + n % 3)]
        rows.append(
            {
                "key": f"{number:05d}{n:03d}",
                "status": "failed_to_download" if n % 7 == 3 else "success",
                "image_id": image_id(pa.array([url]))[0].as_py(),
                "url": url,
                "uids": pair_uid(pa.array([url] * len(texts)), pa.array(texts)).to_pylist(),
            }
        )
    return rows


def write_tar(path: Path, keys: list[str]) -> None:
    with tarfile.open(path, "w") as archive:
        for key in keys:
            for suffix in ("jpg", "txt"):
                archive.addfile(tarfile.TarInfo(f"{key}.{suffix}"))


def write_scores(folder: Path, tables: dict[str, list[dict]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "_scores.json").write_text(json.dumps({"shards": list(tables)}))
    for number, (shard, rows) in enumerate(tables.items()):
        rows = [row | {"shard": shard} for row in rows]
        pq.write_table(pa.Table.from_pylist(rows, SCORED), folder / f"{number:05d}.parquet")
    return folder


class World:
    """Two shards, their scores with many ties, and half of their texts curated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = [make_rows(0, 40), make_rows(1, 25)]
        (folder / "shards").mkdir()
        scores = {}
        chance = random.Random(0)
        self.similarity: dict[str, float | None] = {}
        for number, rows in enumerate(self.rows):
            pq.write_table(pa.Table.from_pylist(rows), folder / "shards" / f"{number:05d}.parquet")
            came = [row for row in rows if row["status"] == "success"]
            write_tar(folder / "shards" / f"{number:05d}.tar", [row["key"] for row in came])
            scores[f"../shards/{number:05d}.tar"] = [
                {"key": row["key"], "uid": uid, "text_number": n, "similarity": self.score(uid, chance)}
                for row in came
                for n, uid in enumerate(row["uids"])
            ]
        self.scores = write_scores(folder / "scores", scores)
        self.uids = [uid for row in self.images for uid in row["uids"]]
        self.curated = sorted(chance.sample(self.uids, len(self.uids) // 2))
        (folder / "curated" / "pairs").mkdir(parents=True)
        half = len(self.curated) // 2
        for name, uids in (("a", self.curated[half:]), ("b", self.curated[:half])):
            pq.write_table(pa.table({"uid": uids}), folder / "curated" / "pairs" / f"{name}.parquet")

    def score(self, uid: str, chance: random.Random) -> float | None:
        value = chance.choice([None, float("nan"), 0.1, 0.2, 0.25, 0.28, 0.3, 0.3, 0.3, 0.35])
        self.similarity[uid] = None if value is None or np.isnan(value) else value
        return value

    @property
    def images(self) -> list[dict]:
        return [row for rows in self.rows for row in rows if row["status"] == "success"]

    def expected(self, uids: set[str]) -> list[tuple]:
        kept = [(row["key"], [uid for uid in row["uids"] if uid in uids]) for row in self.images]
        return [(f"shards/{key[:5]}.tar", key, texts) for key, texts in kept if texts]

    def list(self, name: str = "list.parquet", **options) -> list[tuple]:
        self.counts = subset(
            Subset(shards=(str(self.folder / "shards"),), output=str(self.folder / name), **options)
        )
        return read(self.folder / name)


def read(path: Path) -> list[tuple]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_filters_all_that_came_is_listed(world: World) -> None:
    assert world.list() == world.expected(set(world.uids))
    assert world.counts.images == {"in": len(world.images), "out": len(world.images)}
    assert world.counts.texts == {"in": len(world.uids), "out": len(world.uids)}
    table = pq.read_table(world.folder / "list.parquet")
    assert table.schema.types == [pa.string(), pa.string(), pa.list_(pa.string())]


def test_curated_texts_alone(world: World) -> None:
    found = world.list(curated=str(world.folder / "curated"))
    assert found == world.expected(set(world.curated))
    assert {1, 2} <= {len(texts) for _, _, texts in found}
    assert world.counts.texts["curated"] == world.counts.texts["out"] == len(world.curated)
    assert world.counts.images["curated"] == len(found)


def test_a_similarity_at_the_threshold_passes(world: World) -> None:
    found = world.list(scores=str(world.scores), min_similarity=0.28)
    assert found == world.expected({uid for uid, value in world.similarity.items() if (value or 0) >= 0.28})
    assert world.counts.texts["min_similarity"] == sum(len(texts) for _, _, texts in found)


def ranked(world: World) -> list[str]:
    """The scored texts, the most similar first, of ties the first by uid."""
    scored = {uid: value for uid, value in world.similarity.items() if value is not None}
    return sorted(scored, key=lambda uid: (-scored[uid], uid))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.29, 0.5, 0.77, 1.0])
def test_the_top_share_is_exact_and_ties_go_by_uid(world: World, share: float) -> None:
    order = ranked(world)
    wanted = int(round(share * 100) * len(order) // 100)
    assert world.list(scores=str(world.scores), top_share=share) == world.expected(set(order[:wanted]))
    assert world.counts.texts["top_share"] == wanted


def test_a_share_is_the_number_that_is_written(tmp_path: Path) -> None:
    """0.29 * 100 is less than 29 in floating point."""
    rows = [
        {"key": f"{n:03d}", "uid": f"{n:032x}", "text_number": 0, "similarity": n / 100} for n in range(100)
    ]
    write_tar(tmp_path / "a.tar", [row["key"] for row in rows])
    table = {"key": [row["key"] for row in rows], "uids": [[row["uid"]] for row in rows], "url": ["u"] * 100}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    scores = write_scores(tmp_path / "scores", {"../a.tar": rows})
    options = {"shards": (str(tmp_path / "a.tar"),), "scores": str(scores)}
    counts = subset(Subset(output=str(tmp_path / "l.parquet"), top_share=0.29, **options))
    assert counts.texts["out"] == 29
    assert read(tmp_path / "l.parquet")[0][1] == "071"


def test_the_top_share_is_of_all_that_was_scored_whatever_else_is_asked(world: World) -> None:
    order = ranked(world)
    top = set(order[: len(order) // 2])
    options = {"scores": str(world.scores), "top_share": 0.5}
    found = world.list(curated=str(world.folder / "curated"), min_similarity=0.3, **options)
    similar = {uid for uid in world.uids if (world.similarity[uid] or 0) >= 0.3}
    assert found == world.expected(top & similar & set(world.curated))
    assert list(world.counts.images) == ["in", "curated", "min_similarity", "top_share", "out"]
    one = [str(world.folder / "shards" / "00001.tar")]
    subset(Subset(shards=tuple(one), output=str(world.folder / "one.parquet"), **options))
    assert read(world.folder / "one.parquet") == [
        row for row in world.expected(top) if row[0] == "shards/00001.tar"
    ]


def smallest(world: World, rows: list[dict], size: int, seed: int) -> set[str]:
    draws = uniform(seed, pa.array([row["image_id"] for row in rows]), "subset")
    return {rows[n]["key"] for n in np.argsort(draws)[:size]}


def test_a_random_subset_has_the_smallest_draws_and_is_nested(world: World) -> None:
    before: set[str] = set()
    for size in (1, 10, 30, len(world.images)):
        found = world.list(f"{size}.parquet", size=size, seed=5)
        keys = {key for _, key, _ in found}
        assert keys == smallest(world, world.images, size, 5)
        assert found == [row for row in world.expected(set(world.uids)) if row[1] in keys]
        assert before <= keys
        assert world.counts.images["size"] == size
        assert world.counts.texts["size"] == sum(len(texts) for _, _, texts in found)
        before = keys
    assert {key for _, key, _ in world.list("s.parquet", size=30, seed=6)} != smallest(
        world, world.images, 30, 5
    )


def test_a_random_subset_comes_last(world: World) -> None:
    found = world.list(curated=str(world.folder / "curated"), size=8)
    curated = world.expected(set(world.curated))
    keys = {key for _, key, _ in curated}
    chosen = smallest(world, [row for row in world.images if row["key"] in keys], 8, 0)
    assert found == [row for row in curated if row[1] in chosen]


def test_the_same_images_are_drawn_wherever_they_lie(world: World) -> None:
    """The draw goes by image, so that shards in other orders or of other sizes give the same ones."""
    other = world.folder / "other"
    other.mkdir()
    rows = [row | {"key": f"other{n:08d}"} for n, row in enumerate(reversed(world.images))]
    pq.write_table(pa.Table.from_pylist(rows), other / "00000.parquet")
    write_tar(other / "00000.tar", [row["key"] for row in rows])
    subset(Subset(shards=(str(other / "*.tar"),), output=str(other / "list.parquet"), size=12))
    of_key = {row["key"]: row["url"] for row in [*rows, *world.images]}
    found = {of_key[key] for _, key, _ in read(other / "list.parquet")}
    assert found == {of_key[key] for _, key, _ in world.list(size=12)}


def test_foreign_shards_without_uids(tmp_path: Path) -> None:
    """img2dataset's have URLs and no uids, bare tars have keys."""
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = [
        {"key": f"{n:03d}", "status": "success", "url": f"http://x/{n}", "caption": "c"} for n in range(30)
    ]
    rows[4]["status"] = "failed_to_download"
    pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet")
    write_tar(folder / "0.tar", [row["key"] for row in rows if row["status"] == "success"])
    bare = [f"sub/{n:03d}" for n in range(20)]
    write_tar(folder / "1.tar", bare)
    came = [row["key"] for row in rows if row["status"] == "success"]
    everything = [("shards/0.tar", key, None) for key in came] + [("shards/1.tar", key, None) for key in bare]

    def listed(**options) -> list[tuple]:
        output = tmp_path / f"{'-'.join(options)}.parquet"
        subset(Subset(shards=(str(folder),), output=str(output), **options))
        return read(output)

    assert listed() == everything
    ids = image_id(pa.array([f"http://x/{int(key)}" for key in came] + [f"1.tar/{key}" for key in bare]))
    chosen = sorted(np.argsort(uniform(0, ids, "subset"))[:9])
    assert listed(size=9) == [everything[n] for n in chosen]
    tables = {
        "../shards/0.tar": [{"key": key, "text_number": 0, "similarity": int(key) / 30} for key in came],
        "../shards/1.tar": [{"key": key, "text_number": 0, "similarity": 0.5} for key in bare],
    }
    options = {"scores": str(write_scores(tmp_path / "scores", tables))}
    above = [row for row in everything if row[0] == "shards/0.tar" and int(row[1]) >= 15]
    assert listed(min_similarity=0.5, **options) == above + [
        row for row in everything if row[0] == "shards/1.tar"
    ]
    # 49 scored: of the top 40% (19), 14 are above 0.5; of the 21 that are at it, the first five by place
    assert listed(top_share=0.4, **options) == above + everything[len(came) : len(came) + 4]
    (tmp_path / "c" / "pairs").mkdir(parents=True)
    pq.write_table(pa.table({"uid": ["0" * 32]}), tmp_path / "c" / "pairs" / "a.parquet")
    with pytest.raises(InputError, match="without our uids"):
        listed(curated=str(tmp_path / "c"))


def test_the_same_input_gives_the_same_bytes_and_another_list_is_not_overwritten(world: World) -> None:
    shards = [str(world.folder / "shards" / f"0000{n}.tar") for n in (0, 1)]
    options = {"scores": str(world.scores), "top_share": 0.5, "size": 7}
    sums = set()
    for order in (shards, shards[::-1], [str(world.folder / "shards" / "*.tar"), shards[0]]):
        subset(Subset(shards=tuple(order), output=str(world.folder / "list.parquet"), **options))
        sums.add(hashlib.sha256((world.folder / "list.parquet").read_bytes()).hexdigest())
    assert len(sums) == 1
    with pytest.raises(InputError, match="is another list"):
        world.list(size=8)
    assert {path.name for path in world.folder.iterdir()} == {"shards", "scores", "curated", "list.parquet"}


def test_a_list_elsewhere_finds_its_shards(world: World) -> None:
    found = world.list("a/b/list.parquet", size=3)
    assert {(world.folder / "a" / "b" / shard).resolve().parent for shard, _, _ in found} == {
        world.folder.resolve() / "shards"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1000}, "--size is 1000, but only"),
        ({"curated": "nothing"}, "--curated nothing: pairs/ cannot be read"),
        ({"scores": "nothing", "top_share": 0.3}, "--scores nothing: _scores.json cannot be read"),
        ({"scores": "scores", "top_share": 0.001}, "is none; give a larger share"),
        ({"scores": "scores", "min_similarity": 0.9}, "no image is left .in 55, min_similarity 0.; loosen"),
        ({"scores": "one", "min_similarity": 0.1}, "is not among the scored ones"),
        ({"scores": "torn", "min_similarity": 0.1}, "run jobs/score.py again"),
        ({"shards": ("nowhere/*.tar",)}, "nowhere/.*matches no shards"),
        ({"output": "torn-shard.parquet"}, "would be taken for the table of a shard"),
        ({"shards": ("whole.parquet",)}, "--shards names a list of samples"),
        ({"shards": ("torn-shard.tar",)}, "shard .*torn-shard.tar cannot be read"),
        ({"shards": ("broken.tar",)}, "broken.tar is damaged"),
    ],
)
def test_what_cannot_be_done_is_said(
    world: World, options: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.folder)
    subset(Subset(shards=("shards",), output="whole.parquet"))
    write_tar(Path("torn-shard.tar"), ["0"])
    Path("torn-shard.parquet").write_bytes(b"no table")
    Path("broken.tar").write_bytes(b"no tar" * 1000)
    write_scores(Path("one"), {"../shards/00000.tar": []})
    write_scores(Path("torn"), {"../shards/00000.tar": [], "../shards/00001.tar": []})
    Path("torn/00000.parquet").unlink()
    with pytest.raises(InputError, match=message):
        subset(Subset(**({"shards": ("shards",), "output": "list.parquet"} | options)))
    assert not list(Path().glob("*list.parquet*"))


def json_tar(path: Path, told: dict[str, object]) -> None:
    with tarfile.open(path, "w") as archive:
        for key, content in told.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            for suffix, body in (("jpg", b"an image"), ("txt", b"a text"), ("json", data)):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))


def test_a_tar_without_its_parquet_is_read_by_its_json(world: World) -> None:
    """Ours and DataComp's name their texts there; what is of another kind is none of ours."""
    expected = [(row["key"], row["uids"]) for row in world.images]
    told: dict[str, object] = {row["key"]: row | {"texts": row["uids"]} for row in world.images}
    told |= {"u": {"uid": "ab" * 16, "url": "http://u"}, "v": {"image_id": 139, "url": None}}
    told |= {"w": b"{", "x": [1], "y": {"uid": 5, "url": 7, "uids": None}}
    expected += [("u", ["ab" * 16]), *((key, None) for key in "vwxy")]
    json_tar(world.folder / "all.tar", told)
    subset(Subset(shards=(str(world.folder / "all.tar"),), output=str(world.folder / "first.parquet")))
    assert [row[1:] for row in read(world.folder / "first.parquet")] == expected
    ids = [row["image_id"] for row in world.images] + image_id(
        pa.array(["http://u", *(f"all.tar/{key}" for key in "vwxy")])
    ).to_pylist()
    output = str(world.folder / "some.parquet")
    subset(Subset(shards=(str(world.folder / "all.tar"),), output=output, size=30))
    chosen = sorted(np.argsort(uniform(0, pa.array(ids), "subset"))[:30])
    assert [row[1:] for row in read(Path(output))] == [expected[n] for n in chosen]
    with pytest.raises(InputError, match="without our uids"):
        curated = str(world.folder / "curated")
        subset(Subset(shards=(str(world.folder / "all.tar"),), output=output, curated=curated))


def test_datacomps_uids_are_taken_from_the_parquet(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", ["a", "b"])
    rows = {"key": ["a", "b"], "uid": ["ab" * 16, "cd" * 16], "url": ["u", "v"], "image_id": [1, 2]}
    pq.write_table(pa.table(rows), tmp_path / "0.parquet")
    subset(Subset(shards=(str(tmp_path / "0.tar"),), output=str(tmp_path / "l.parquet"), size=2))
    assert read(tmp_path / "l.parquet") == [("0.tar", "a", ["ab" * 16]), ("0.tar", "b", ["cd" * 16])]


def test_the_trainer_reads_the_list(world: World) -> None:
    told = {row["key"]: row | {"texts": row["uids"]} for row in world.images}
    for number in (0, 1):
        of_shard = {key: row for key, row in told.items() if int(key[:5]) == number}
        json_tar(world.folder / "shards" / f"{number:05d}.tar", of_shard)
    found = world.list("lists/list.parquet", curated=str(world.folder / "curated"), size=8)
    index = build([world.folder / "lists" / "list.parquet"], world.folder / "index", processes=1)
    assert len(index) == 8
    assert not index.dropped
    uids = [[text_id(uid) for uid in texts] for _, _, texts in found]
    assert [index.texts_of(n)["id"].tolist() for n in range(8)] == uids


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_share": 0.3}, "need --scores"),
        ({"min_similarity": 0.3}, "need --scores"),
        ({"scores": "s"}, "needs --min-similarity or --top-share"),
        ({"scores": "s", "top_share": 0.0}, "--top-share is 0"),
        ({"scores": "s", "top_share": 1.1}, "--top-share is 1.1"),
        ({"scores": "s", "min_similarity": 28.0}, "--min-similarity is 28"),
        ({"size": 0}, "--size is 0"),
        ({"output": "list"}, "end its name in .parquet"),
    ],
)
def test_flags_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Subset(**({"shards": ("s",), "output": "l.parquet"} | options))
