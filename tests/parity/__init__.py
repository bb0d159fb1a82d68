"""One workload for two equal projects, of which one has the tracker attached: do both execute the same?

`application` is the project, `workload` what is sent to it and done to its workers. `python -m parity` is one side.
"""
