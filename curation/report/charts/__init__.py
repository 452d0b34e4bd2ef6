"""Pictures of a run: one function a chart, and beside each the table of the same numbers."""
