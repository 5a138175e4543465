"""What operators do to a database beside the server: upgrade, check and repair it, back it up, restore it."""
