"""The page: what an author may write and what we say when it is wrong."""
