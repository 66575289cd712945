"""Tests of the ground: plain values, no files, no network."""
