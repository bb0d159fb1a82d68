"""The live stream: one reader of hints for all viewers of a process (`hub`), and what each gets (`viewers`)."""
