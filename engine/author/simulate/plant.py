"""A few records that break the page's rules, so that quarantine and warnings have something to show."""
def plant(*a): pass
