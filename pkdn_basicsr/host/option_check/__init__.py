"""Everything that is looked at in an option file before a run begins."""
