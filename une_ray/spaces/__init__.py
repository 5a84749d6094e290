"""What happens to one batch: decode, invert, embed. Plain classes, batch in, batch out; no Ray."""
