"""What all rooms share; imports nothing of ours."""
