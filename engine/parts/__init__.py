"""The vocabulary: one word of the language a file, one kind a folder."""
