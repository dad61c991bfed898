"""Model bundles: pictures and texts to vectors, pictures to labelled boxes; ONNX files that one JSON file describes."""
