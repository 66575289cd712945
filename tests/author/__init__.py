"""Tests of the room that helps authors."""
