"""Retrieval: which captions an image finds, and which image a caption finds."""

from collections.abc import Sequence

import numpy as np
import torch

from curation.trainer.evaluation.datasets import Sample
from curation.trainer.evaluation.features import Encoder, encode_all_texts
from curation.trainer.evaluation.metrics import Retrieved

RECALLS = (1, 5, 10)
_ROWS_AT_ONCE = 1024


def retrieve(encoder: Encoder, samples: Sequence[Sample], features: torch.Tensor) -> Retrieved:
    """What comes out for images with one or more captions each.

    Args:
        encoder: the model.
        samples: n, in the order of the features.
        features: (n, d) of the images.
    """
    texts = encode_all_texts(encoder, [caption for sample in samples for caption in sample.captions])
    image_of = np.repeat(np.arange(len(samples)), [len(sample.captions) for sample in samples])
    return ranked(features, texts, image_of.astype(np.int32))


def ranked(images: torch.Tensor, texts: torch.Tensor, image_of: np.ndarray) -> Retrieved:
    """Ranks of the right ones, block by block: never all scores at once.

    An image's rank is that of the first of its captions. Of equal scores the earlier comes first, so that
    a model that gives all the same features finds nothing.

    Args:
        images: float (n, d).
        texts: float (m, d).
        image_of: int32 (m).

    Source: CLIP_benchmark, `zeroshot_retrieval`: a hit is any positive among the k likeliest.
    """
    owner = torch.from_numpy(image_of).to(images.device)
    image_ids = torch.arange(len(images), device=images.device)
    text_ranks = [
        _first_right(rows @ texts.T, ids[:, None] == owner[None, :])
        for rows, ids in _blocks(images, image_ids)
    ]
    image_ranks = [
        _first_right(rows @ images.T, ids[:, None] == image_ids[None, :])
        for rows, ids in _blocks(texts, owner)
    ]
    return Retrieved(_joined(text_ranks), _joined(image_ranks), image_of)


def _blocks(rows: torch.Tensor, ids: torch.Tensor) -> zip:
    return zip(rows.split(_ROWS_AT_ONCE), ids.split(_ROWS_AT_ONCE), strict=True)


def _first_right(scores: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """How many come before the best of the right ones: int (rows) from scores and marks (rows, columns)."""
    best, place = scores.masked_fill(~right, -torch.inf).max(dim=1, keepdim=True)
    columns = torch.arange(scores.shape[1], device=scores.device)
    # Which of several equal right ones `max` names is not said: the first of them counts.
    place = torch.where(right & (scores == best), columns, scores.shape[1]).amin(dim=1, keepdim=True)
    return (scores > best).sum(dim=1) + ((scores == best) & (columns < place)).sum(dim=1)


def _joined(ranks: list[torch.Tensor]) -> np.ndarray:
    return torch.cat(ranks).cpu().numpy().astype(np.int32)
