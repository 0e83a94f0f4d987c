"""Functions that build networks and their settings, one file per published architecture."""
