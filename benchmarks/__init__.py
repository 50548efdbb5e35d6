"""Speed, size and memory of strongroom beside other stores: `python -m benchmarks`."""
