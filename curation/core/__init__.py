"""Mathematics of curation: text, matcher, balancing, identity. No Spark, no I/O."""
