"""The main job: text → everything, resumable step by step."""
