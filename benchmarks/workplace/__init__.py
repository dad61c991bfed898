"""Many open HITs and many Workers at once: what listing costs, and that no assignment is lost or given twice."""
