"""SQL of auth, one file for each thing that it keeps."""
