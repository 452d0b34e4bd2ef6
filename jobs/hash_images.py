"""Images of evaluation sets to their hashes, to be kept out of a download. Run with --help."""

from curation.cli import main
from curation.config import HashImages
from curation.runs import hash_images

if __name__ == "__main__":
    main(hash_images, HashImages)
