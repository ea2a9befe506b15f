"""Receive OTLP, judge each finished trace, keep the verdict as evidence.

The folders are the path of a span: receive, journal, assemble and judge (`processor`), record
(`store`), export; `report` only reads what was recorded. `pipeline` alone wires the stages.
"""
