"""Pictures: bytes to pixels, pixels to tensors, and back."""
