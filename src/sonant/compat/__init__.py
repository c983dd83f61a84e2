"""Scripts written for other packages run by changing an import."""
