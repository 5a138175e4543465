"""What is kept for how long: runs that are over, what belongs to them, and what of a user is left."""
