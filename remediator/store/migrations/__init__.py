"""What brings older databases to the present schema, one file for each step."""
