"""Contrastive training on shards, and what says whether a data set is better than another."""
