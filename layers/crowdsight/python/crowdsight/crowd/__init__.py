"""Crowd tasks at work: publishing HITs, reading answers, and the steps of the adjudication workflow."""
