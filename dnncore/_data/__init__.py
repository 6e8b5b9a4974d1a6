"""Reading of rows and columns from files and blocks."""
