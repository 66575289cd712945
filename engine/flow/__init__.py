"""The walk: one room a stage, in the order the data goes."""
