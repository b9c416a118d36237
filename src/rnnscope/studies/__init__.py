"""The main job: text → everything, resumable step by step."""

from rnnscope.studies.study import Study, study

__all__ = ["Study", "study"]
