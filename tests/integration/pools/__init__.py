"""The pools on the real PostgreSQL: every invariant of ARCHITECTURE.md has its tests here.

arrows.py watches every state change, desk.py does what the labeling desk does, conftest.py
makes campaigns with people and images in S. Times are set by UPDATE, never waited for."""
