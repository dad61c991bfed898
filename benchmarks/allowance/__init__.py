"""Is every search counted exactly once, with hundreds at the same moment and Lambda processes killed in their midst?"""
