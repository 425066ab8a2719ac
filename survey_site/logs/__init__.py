"""Votes as they are read in and taken away."""
