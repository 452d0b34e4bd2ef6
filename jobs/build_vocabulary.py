"""WordNet, word lists and Wikipedia to a vocabulary. Run with --help."""

from curation.cli import main
from curation.config import BuildVocabulary
from curation.report.table1 import tell_vocabulary
from curation.runs import build_vocabulary

if __name__ == "__main__":
    main(build_vocabulary, BuildVocabulary, tell_vocabulary)
