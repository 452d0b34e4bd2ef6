"""From shards to micro-batches: the same ones for any number of workers and ranks."""
