#!/bin/sh
echo "thinking"
exec sleep infinity
