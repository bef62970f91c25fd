"""`callwright doctor`: what a person or a monitor should know of this machine and of the system that is configured.

One file for each area. An area is a function that takes a `Subject` and yields findings, the worst levels of which
make the exit code. Areas run side by side (`examine`), each with a deadline; what fails inside an area is a finding.
"""
