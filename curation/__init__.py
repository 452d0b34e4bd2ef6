"""Turns Common Crawl into balanced image-text datasets of the kind CLIP was trained on."""

__version__ = "0.1.0"
