"""Figures and tables from run files; nothing here simulates."""
