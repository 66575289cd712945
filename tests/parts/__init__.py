"""Tests of parts: each word through its YAML."""
