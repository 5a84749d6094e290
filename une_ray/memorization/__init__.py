"""Which prompts a generator remembers and what stops it (paper 3): token rows, peers, detectors. No Ray, no lake."""
