"""The data card of a run: facts gathered once, written as a web page, as Markdown and as Croissant."""
