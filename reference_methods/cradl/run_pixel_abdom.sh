#!/bin/sh
# sh /workspace/run_pixel_abdom.sh INPUT OUTPUT
exec python3 -m reference_methods.cradl.predict pixel abdom "$1" "$2"
