"""What the figures in the README come from: programs that each print one line of JSON."""
