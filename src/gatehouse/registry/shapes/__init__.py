"""What a runnable takes and gives: its types, read off it, and how they are said to clients."""
