#!/bin/sh
exec python3 /workspace/predict.py pixel "$1" "$2"
