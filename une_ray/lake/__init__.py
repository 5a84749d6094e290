"""The NoiseZoo lake: where things lie, what their columns are, how they are committed, read and verified.
No torch here."""
