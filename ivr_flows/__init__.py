"""The flow language: documents that a graphical editor writes, checked at upload and run as generators of instructions.

    flow = ivr_flows.load(document)                        # or FlowInvalid with all findings
    program = ivr_flows.program.run(source, flow.id, flow.version, ivr_flows.CallData(did=…, ani=…))

Pure: nothing here reads a clock, a random number, a database or the network, nor imports the rest of the project.
"""

from __future__ import annotations

from ivr_flows.call import CallData
from ivr_flows.findings import Finding, FlowInvalid
from ivr_flows.flow import Flow
from ivr_flows.loading import Outline, check, load, load_stored, outline, report
from ivr_flows.program import FlowOutcome, FlowSource
from ivr_flows.verify import Longest, Report, World

__all__ = [
    "CallData",
    "Finding",
    "Flow",
    "FlowInvalid",
    "FlowOutcome",
    "FlowSource",
    "Longest",
    "Outline",
    "Report",
    "World",
    "check",
    "load",
    "load_stored",
    "outline",
    "report",
]
