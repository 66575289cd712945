"""The pages that ship with the engine, each against a stand-in of its vendor."""
