"""The end of turning a folder of class folders into shards."""

from rich.console import Group, RenderableType
from rich.text import Text

from curation.trainer.evaluation.classfolders import Converted


def tell(converted: Converted) -> RenderableType:
    """Say what was made.

    Args:
        converted: what was made.
    """
    skipped = ", ".join(f"{reason} {count:,}" for reason, count in sorted(converted.skipped.items()))
    notes = [Text.assemble(("note  ", "bold yellow"), f"left out: {skipped}")] if skipped else []
    evaluate = f"python jobs/evaluate.py --checkpoint RUN --datasets {converted.dataset}"
    return Group(
        Text(
            f"{converted.train:,} images to train on, {converted.test:,} held out, of "
            f"{len(converted.classnames)} classes"
        ),
        *notes,
        Text.assemble(("next  ", "bold"), f"python jobs/train.py --shards {converted.shards} --output RUN"),
        Text(f"      {evaluate} --output RESULT.json"),
    )
