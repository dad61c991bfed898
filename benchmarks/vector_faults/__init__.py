"""Does the vector index in S3 keep every vector, with many writers at once whose calls fail or who die at one?"""
