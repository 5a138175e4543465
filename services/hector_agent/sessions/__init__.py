"""Sessions beside their turns: their state, what a turn reads of them, the stored session API, artifacts."""
