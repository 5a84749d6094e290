"""From a corpus to a lake: what is missing (`plan`), and Ray Data that does it (`ray_data`)."""
