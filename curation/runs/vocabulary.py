"""Raw sources to a vocabulary."""

from curation import io
from curation.config import BuildVocabulary
from curation.record import Identity, RunRecord, claim
from curation.runs.tables import made_with
from curation.spark import Session
from curation.vocabulary.build import build
from curation.vocabulary.vocabulary import write_vocabulary

SEMANTICS = 1


def build_vocabulary(session: Session, config: BuildVocabulary) -> list[RunRecord]:
    """Build a vocabulary from its sources.

    Args:
        session: not started: WordNet is small.
        config: where the sources are.

    Returns:
        The record of the vocabulary; its rows are entries.

    Raises:
        InputError: a source is missing or damaged, or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    vocabulary, manifest = build(wordnet=config.wordnet)
    inputs = [source["sha256"] for source in manifest["inputs"]]
    identity = Identity(job="build_vocabulary", semantics=SEMANTICS, config={}, inputs=inputs)
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        attempt.begin()
        write_vocabulary(attempt.folder, vocabulary, manifest)
        rows = {"in": len(vocabulary), "out": len(vocabulary)}
        return [attempt.publish(rows=rows, dropped={}, facts={"added": manifest["added"]}, made=made_with())]
