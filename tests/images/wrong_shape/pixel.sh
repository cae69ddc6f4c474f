#!/bin/sh
exec python3 /workspace/predict.py "$1" "$2"
