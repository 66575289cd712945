"""The ground all rooms stand on: plain values, no files, no network."""
