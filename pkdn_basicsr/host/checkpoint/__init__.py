"""Checkpoints and training states: written whole, read safely, and gone on from exactly."""
