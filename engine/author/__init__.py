"""What helps an author write a page: a vendor that answers in the real one's place."""
