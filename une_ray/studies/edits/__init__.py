"""Moving latents along directions, and measuring what the move did. No Ray: a job of the pipeline does it in tasks."""
