"""Load tests: SIPp calls at a rate or at a number of calls at once, and what became of the calls. docs/load.md."""
