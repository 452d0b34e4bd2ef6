"""From curated pairs to shards of images."""
