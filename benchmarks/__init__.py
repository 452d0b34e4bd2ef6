"""Timings, side by side with the peers in one run. Absolute times mean nothing; ratios do."""
