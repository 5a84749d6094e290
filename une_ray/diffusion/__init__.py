"""Deterministic diffusion as pure functions on tensors: schedules, DDIM inversion and sampling."""
