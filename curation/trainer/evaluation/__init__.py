"""Zero-shot classification, retrieval and linear probes on data sets in CLIP_benchmark's layout."""
