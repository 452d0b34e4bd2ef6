"""Common Crawl: which files there are, and from their records to (url, text) pairs."""
