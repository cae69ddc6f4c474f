#!/bin/sh
for case in "$1"/*.nii.gz; do
    echo 0.5 >"$2/$(basename "$case").txt"
done
