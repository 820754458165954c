"""The three stages of the reader: detection, classification and recognition.

Imports nothing of ``serve_app``; no stage imports another stage.
"""
