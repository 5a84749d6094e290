"""Moving latents along directions, and measuring what the move did: pure functions on arrays, no lake, no Ray."""
