"""The report of an experiment: tables, figures and what they say in words."""

from napari_xseg.experiments.report.page import report_events, write_report

__all__ = ["report_events", "write_report"]
