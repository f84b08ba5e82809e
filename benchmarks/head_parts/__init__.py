"""The parts of benchmarks/heads.py: `times` of fitting and scoring, `quality` on real features."""
