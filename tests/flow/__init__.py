"""Tests of the walk, room by room."""
