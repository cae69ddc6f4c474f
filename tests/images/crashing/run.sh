#!/bin/sh
echo "reading $1"
echo "crashing: the model file is not there" >&2
exit 1
