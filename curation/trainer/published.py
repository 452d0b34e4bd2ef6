"""What others have published for their data: the rows that a run of ours can be held against."""

import math
from dataclasses import dataclass

DATACOMP = "DataComp (Gadre et al., 2023), table 3"
METACLIP = "MetaCLIP (Xu et al., 2024)"
CLIPA = "CLIPA (Li et al., 2023)"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Results of one model that was trained on one data set; accuracies in percent.

    Attributes:
        source: the paper.
        data: what it was trained on.
        model: open_clip's name of it.
        samples_seen: its budget.
        imagenet: zero-shot accuracy.
        shifts: the mean over ImageNet's distribution shifts.
        vtab: the mean over VTAB.
        retrieval: the mean over retrieval.
        average: the mean over `datasets` data sets.
        datasets: how many `average` is of; those of DataComp and of MetaCLIP do not compare.
        noise: standard deviation of `imagenet` between seeds, in points, as far as the source tells it.
    """

    source: str
    data: str
    model: str
    samples_seen: int
    imagenet: float
    shifts: float | None = None
    vtab: float | None = None
    retrieval: float | None = None
    average: float | None = None
    datasets: int | None = None
    noise: float | None = None


def nearest(samples_seen: int, model: str) -> tuple[Published, ...]:
    """The published rows of the same architecture whose budget is nearest, by ratio.

    Args:
        samples_seen: of the run.
        model: open_clip's name; QuickGELU or not makes no difference here.

    Returns:
        All rows of that budget, in the papers' order; none where nobody published that architecture.
    """
    rows = [row for row in ROWS if _architecture(row.model) == _architecture(model)]
    if not rows:
        return ()
    budget = min(
        (row.samples_seen for row in rows), key=lambda seen: abs(math.log(seen / max(samples_seen, 1)))
    )
    return tuple(row for row in rows if row.samples_seen == budget)


def _architecture(model: str) -> str:
    return model.removesuffix("-quickgelu")


def _datacomp(scale: str, samples_seen: int, figures: dict[str, tuple[float, ...]]) -> tuple[Published, ...]:
    return tuple(
        Published(
            source=DATACOMP,
            data=f"DataComp {scale}, {name}",
            model="ViT-B-32",
            samples_seen=samples_seen,
            **dict(zip(("imagenet", "shifts", "vtab", "retrieval", "average"), row, strict=True)),
            datasets=38,
            noise=0.2,
        )
        for name, row in figures.items()
    )


def _metaclip(data: str, model: str, imagenet: float, average: float | None = None) -> Published:
    return Published(
        source=METACLIP,
        data=data,
        model=model,
        samples_seen=12_800_000_000,
        imagenet=imagenet,
        average=average,
        datasets=None if average is None else 26,
        noise=0.1,
    )


_SMALL = {
    "no filter": (2.5, 3.3, 14.5, 11.4, 13.2),
    "basic filter": (3.8, 4.3, 15.0, 11.8, 14.2),
    "text-based filter": (4.6, 5.2, 16.9, 12.5, 15.7),
    "image-based filter": (4.3, 4.7, 17.8, 12.1, 15.9),
    "LAION-2B's filter": (3.1, 4.0, 13.6, 9.2, 13.3),
    "CLIP score of L/14, top 30%": (5.1, 5.5, 19.0, 11.9, 17.3),
    "image-based and CLIP score": (3.9, 4.5, 16.2, 9.4, 14.4),
}
_MEDIUM = {
    "no filter": (17.6, 15.2, 25.9, 21.9, 25.8),
    "basic filter": (22.6, 19.3, 28.4, 25.1, 28.5),
    "text-based filter": (25.5, 21.5, 32.8, 24.9, 30.7),
    "image-based filter": (26.8, 21.3, 31.9, 25.6, 31.2),
    "LAION-2B's filter": (23.0, 19.8, 30.7, 23.3, 29.2),
    "CLIP score of L/14, top 30%": (27.3, 23.0, 33.8, 25.1, 32.8),
    "image-based and CLIP score": (29.7, 23.9, 34.6, 23.1, 32.8),
}
_WIT = "OpenAI's WIT, 400M pairs"

ROWS: tuple[Published, ...] = (
    *_datacomp("small", 12_800_000, _SMALL),
    *_datacomp("medium", 128_000_000, _MEDIUM),
    Published(
        source=CLIPA,
        data="LAION-400M, after a second run at full size",
        model="CLIPA-B-16-bpe",
        samples_seen=2_560_000_000,
        imagenet=63.2,
    ),
    _metaclip("unbalanced, 1.6B pairs", "ViT-B-32-quickgelu", 61.9, 56.6),
    _metaclip("t = 15,000", "ViT-B-32-quickgelu", 65.5, 57.5),
    _metaclip("t = 20,000, 400M pairs", "ViT-B-32-quickgelu", 65.5, 58.2),
    _metaclip("t = 35,000", "ViT-B-32-quickgelu", 65.4, 57.8),
    _metaclip("balanced online, in the loader", "ViT-B-32-quickgelu", 66.1, 58.5),
    _metaclip("400M pairs", "ViT-B-16-quickgelu", 70.8),
    _metaclip("1B pairs", "ViT-B-16-quickgelu", 72.4),
    _metaclip("400M pairs", "ViT-L-14-quickgelu", 76.2),
    _metaclip("2.5B pairs", "ViT-L-14-quickgelu", 79.2),
    _metaclip("2.5B pairs", "ViT-H-14-quickgelu", 80.5),
    _metaclip(_WIT, "ViT-B-32-quickgelu", 63.4),
    _metaclip(_WIT, "ViT-B-16-quickgelu", 68.3),
    _metaclip(_WIT, "ViT-L-14-quickgelu", 75.5),
)
"""The published rows: ImageNet's are zero-shot. MetaCLIP's paper is the source of WIT's, too."""
