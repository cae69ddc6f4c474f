#!/bin/sh
# sh /workspace/run_pixel_brain.sh INPUT OUTPUT
exec python3 -m reference_methods.cradl.predict pixel brain "$1" "$2"
