#!/bin/sh
exec python3 /workspace/predict.py sample "$1" "$2"
