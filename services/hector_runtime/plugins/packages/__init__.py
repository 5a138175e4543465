"""Plugins in one file each: packed with checksums, perhaps signed, and installed only if everything holds."""
