"""Tables that say what happened, for the terminal and the data card."""
