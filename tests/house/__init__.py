"""Tests of the house: rules that every file of the project keeps, read from the source."""
