"""Reading clinical text: its statements, what they assert of a drug, and the directions of a prescription."""
