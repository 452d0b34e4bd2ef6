"""From figures to steps: how much there is to do, and which resource holds each step up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from curation.config import Plan
from curation.config.plan import DEFAULT_GPUS, DEFAULT_SAMPLES_SEEN, DEFAULT_T
from curation.core.sizing import MIB, memory_overhead
from curation.plan.estimate import (
    CONNECTIONS,
    CORES,
    DISK,
    GPUS,
    IN_FLIGHT,
    NETWORK,
    S3,
    Estimate,
    Funnel,
    Step,
)
from curation.plan.figures import gathered, training_figures
from curation.plan.kept import kept_share
from curation.plan.rates import read_rates

MB, KB = 1e6, 1e3
EXECUTOR_CORES = 8
"""As docs/recipes have it: what the JVM takes beside its heap is for all of an executor's cores."""


def estimate(config: Plan) -> Estimate:
    """Plan a run.

    Args:
        config: what is asked.

    Raises:
        InputError: rates cannot be read, or a figure is none.
    """
    own = {"network_mbit": config.network_mbit, "yield": config.expected_yield}
    given = {name: value for name, value in own.items() if value is not None}
    measured = read_rates(config.rates).figures()
    figures = gathered([*measured, *training_figures(config.model)], given, config.assume)
    values = _Values({name: figure.value for name, figure in figures.items()})
    model = _Model(config, values)
    steps = (model.extract(), model.deduplicate(), model.match(), model.balance(), model.download())
    training = None if config.model is None else model.train()
    used = {name: figure for name, figure in figures.items() if name in values.used}
    return Estimate(config=config, figures=used, funnel=model.funnel, steps=steps, training=training)


class _Values(dict[str, float]):
    """The figures' values, which remember which of them have been used."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(values)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.used.add(name)
        return super().__getitem__(name)


@dataclass
class _Model:
    """The arithmetic; `value` is that of each figure by name."""

    config: Plan
    value: Mapping[str, float]
    funnel: Funnel = field(init=False)

    def __post_init__(self) -> None:
        self.cores = self.config.cores
        self.funnel = self._funnel()

    def _funnel(self) -> Funnel:
        v = self.value
        files = self.config.files or (self.config.crawls or 0) * v["files_per_crawl"]
        candidates = files * v["pairs_per_file"] * v["language_share"]
        pool = min(candidates, self._distinct(files))
        matched = pool * v["matched_share"]
        share = self.config.keep_share or kept_share(matched, self.config.t or DEFAULT_T)
        curated = matched * share
        images = curated * v["images_per_pair"]
        return Funnel(
            files=files,
            candidates=candidates,
            pool=pool,
            matched=matched,
            curated=curated,
            images=images,
            samples=images * v["yield"],
        )

    def _distinct(self, files: float) -> float:
        """Distinct pairs: as many in each crawl; within one, a power of the files (Heaps' law).

        The power goes from a file, whose pairs count as distinct, to the whole crawl.
        """
        v = self.value
        if files >= v["files_per_crawl"]:
            return files / v["files_per_crawl"] * v["pool_per_crawl"]
        first = v["pairs_per_file"] * v["language_share"]
        power = math.log(v["pool_per_crawl"] / first) / math.log(v["files_per_crawl"])
        return float(first * files**power)

    def _cpu(self, cpu_seconds: float, cores: float | None = None) -> float:
        return cpu_seconds / (min(self.cores, cores or self.cores) * self.value["busy"])

    def _disk(self, size_bytes: float) -> float:
        return size_bytes / (self.cores * self.value["disk_mbyte"] * MB)

    def _network(self, size_bytes: float) -> float:
        return size_bytes * 8 / (self.value["network_mbit"] * MB)

    def _memory(self, job: str) -> float:
        """Heap, and what the job asks for beside it."""
        heap = self.value["heap_mbyte"]
        heap_mib = int(EXECUTOR_CORES * heap * MB / MIB)
        beside = memory_overhead(job, cores=EXECUTOR_CORES, heap_mib=heap_mib)
        return heap + int(beside.removesuffix("m")) * MIB / MB / EXECUTOR_CORES

    def extract(self) -> Step:
        v, files = self.value, self.funnel.files
        size_bytes = files * v["wat_mbyte"] * MB
        written = self.funnel.candidates * v["candidate_bytes"]
        cpu_seconds = size_bytes / MB * v["extract_seconds"]
        limits = {CORES: self._cpu(cpu_seconds), DISK: self._disk(written)}
        if self.config.in_region:
            limits[S3] = size_bytes / (self.cores * v["s3_connection_mbyte"] * MB)
        else:
            connections = min(v["connections"], files)
            limits[NETWORK] = self._network(size_bytes)
            # A connection is read by one task: no more of them work at once, however many cores there are.
            limits[CONNECTIONS] = max(
                size_bytes / (min(connections, self.cores) * v["connection_mbyte"] * MB),
                self._cpu(cpu_seconds, connections),
            )
        return Step(
            name="extract",
            work=files,
            unit="files",
            cpu_seconds=cpu_seconds,
            limits=limits,
            scratch_bytes=written,
            network_bytes=size_bytes,
            memory_mbyte=self._memory("extract"),
            by_crawl=True,
        )

    def deduplicate(self) -> Step:
        v, rows = self.value, self.funnel.candidates
        read, shuffled = rows * v["candidate_bytes"], rows * v["shuffle_bytes"]
        written = self.funnel.pool * v["pool_bytes"]
        cpu_seconds = rows * v["deduplicate_seconds"]
        return Step(
            name="de-duplicate",
            work=rows,
            unit="pairs",
            cpu_seconds=cpu_seconds,
            limits={CORES: self._cpu(cpu_seconds), DISK: self._disk(read + 2 * shuffled + written)},
            read_bytes=read + shuffled,
            written_bytes=written,
            scratch_bytes=read + shuffled,
            memory_mbyte=self._memory("extract"),
            by_crawl=True,
        )

    def match(self) -> Step:
        v = self.value
        return self._rows("match", self.funnel.pool, v["pool_bytes"], self.funnel.matched, v["matches_bytes"])

    def balance(self) -> Step:
        v = self.value
        return self._rows(
            "balance", self.funnel.matched, v["matches_bytes"], self.funnel.curated, v["curated_bytes"]
        )

    def _rows(self, name: str, rows: float, row_bytes: float, out: float, out_bytes: float) -> Step:
        """A step from table to table."""
        read, written = rows * row_bytes, out * out_bytes
        cpu_seconds = rows * self.value[f"{name}_seconds"]
        return Step(
            name=name,
            work=rows,
            unit="pairs",
            cpu_seconds=cpu_seconds,
            limits={CORES: self._cpu(cpu_seconds), DISK: self._disk(read + written)},
            read_bytes=read,
            written_bytes=written,
            memory_mbyte=self._memory(name),
        )

    def download(self) -> Step:
        v, tried, came = self.value, self.funnel.images, self.funnel.samples
        cpu_seconds = came * (v["download_seconds"] + v["tls_seconds"])
        network = came * v["image_kbyte"] * KB
        read = self.funnel.curated * v["curated_bytes"]
        written = came * v["stored_kbyte"] * KB * self.config.image_size / 256
        return Step(
            name="download",
            work=tried,
            unit="images",
            cpu_seconds=cpu_seconds,
            limits={
                CORES: self._cpu(cpu_seconds),
                NETWORK: self._network(network),
                IN_FLIGHT: tried * v["image_seconds"] / (self.cores * v["images_at_once"]),
                DISK: self._disk(2 * read + written),
            },
            read_bytes=read,
            written_bytes=written,
            scratch_bytes=read,  # the images of each shard, put down before they are fetched
            network_bytes=network,
            memory_mbyte=self._memory("download"),
        )

    def train(self) -> Step:
        """GPU time alone: the cores that feed them are not counted."""
        samples = self.config.samples_seen or DEFAULT_SAMPLES_SEEN
        seconds = samples / (self.value["gpu_samples"] * (self.config.gpus or DEFAULT_GPUS))
        return Step(
            name="train",
            work=samples,
            unit="samples",
            cpu_seconds=0.0,
            limits={GPUS: seconds},
        )
