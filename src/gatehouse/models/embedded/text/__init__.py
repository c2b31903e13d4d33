"""Values that a message names in plain words: numbers, durations, arithmetic and names.

The embedded model is too small to copy values without slips, so what a tool call may hold is read here
and the model only chooses among it.
"""
