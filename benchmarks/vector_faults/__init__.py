"""Does the vector index in S3 keep every vector, with many writers at once that die in the midst of what they do?"""
