"""The pools on the real PostgreSQL, one file a behaviour.

arrows.py watches every state change, desk.py does what the labeling desk does, conftest.py
makes campaigns with people and images in S. Times are set by UPDATE, never waited for."""
