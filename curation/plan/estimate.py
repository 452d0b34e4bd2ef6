"""What a plan says: steps, what each takes, and the totals."""

from collections.abc import Mapping
from dataclasses import dataclass

from curation.config import Plan
from curation.plan.figures import Figures

CORES = "cores"
CONNECTIONS = "Common Crawl's connections"
S3 = "S3's connections"
NETWORK = "network"
DISK = "disk"
IN_FLIGHT = "images in flight"
GPUS = "GPUs"

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step takes.

    Attributes:
        name: of the step; those of a job of its own have the job's.
        work: units that go in.
        unit: of the work.
        cpu_seconds: processor time, of all cores.
        limits: seconds that each resource needs for it alone, by resource.
        read_bytes: from disk.
        written_bytes: to disk, to stay.
        scratch_bytes: to disk, gone when the step's job is done.
        network_bytes: from the world.
        memory_mbyte: an executor's, for each core: JVM and Python.
        by_crawl: whether it can be done a crawl at a time.
    """

    name: str
    work: float
    unit: str
    cpu_seconds: float
    limits: Mapping[str, float]
    read_bytes: float = 0.0
    written_bytes: float = 0.0
    scratch_bytes: float = 0.0
    network_bytes: float = 0.0
    memory_mbyte: float = 0.0
    by_crawl: bool = False

    @property
    def seconds(self) -> float:
        """How long it takes: as long as the resource that takes longest."""
        return max(self.limits.values())

    @property
    def bottleneck(self) -> str:
        """The resource that takes longest; of equal ones the first."""
        return max(self.limits, key=lambda resource: self.limits[resource])

    @property
    def core_hours(self) -> float:
        """Hours of work for one core."""
        return self.cpu_seconds / HOUR


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """How many there are after each step.

    Attributes:
        files: WAT files read.
        candidates: pairs in a wanted language, those seen before included.
        pool: distinct pairs.
        matched: pairs that match any entry.
        curated: pairs that balancing keeps.
        images: images tried.
        samples: images that come.
    """

    files: float
    candidates: float
    pool: float
    matched: float
    curated: float
    images: float
    samples: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A plan.

    Attributes:
        config: what was asked.
        figures: all that were used, by name.
        funnel: how many there are after each step.
        steps: in their order, one after the other.
        training: as planned, if that was asked for; its money and hours are no cores'.
    """

    config: Plan
    figures: Figures
    funnel: Funnel
    steps: tuple[Step, ...]
    training: Step | None = None

    @property
    def seconds(self) -> float:
        """How long the data set takes."""
        return sum(step.seconds for step in self.steps)

    @property
    def core_hours(self) -> float:
        """Hours of work for one core."""
        return sum(step.core_hours for step in self.steps)

    @property
    def paid_core_hours(self) -> float:
        """Hours of all cores for as long as it takes, whether they are busy or wait."""
        return self.config.cores * self.seconds / HOUR

    @property
    def money(self) -> float | None:
        """For the cores; None without a price."""
        price = self.config.price_core_hour
        return None if price is None else price * self.paid_core_hours

    @property
    def kept_bytes(self) -> float:
        """On disk at the end: pool, matches, curated and shards."""
        return sum(step.written_bytes for step in self.steps)

    @property
    def most_bytes(self) -> float:
        """On disk at the fullest moment, all crawls in one go."""
        return self._fullest(1)

    @property
    def most_bytes_crawl_by_crawl(self) -> float:
        """The same with the pool made a crawl at a time, by `extract --against` the earlier pools."""
        return self._fullest(self.config.crawls or 1)

    def _fullest(self, parts: int) -> float:
        stay, most = 0.0, 0.0
        for step in self.steps:
            stay += step.written_bytes
            most = max(most, stay + step.scratch_bytes / (parts if step.by_crawl else 1))
        return most
