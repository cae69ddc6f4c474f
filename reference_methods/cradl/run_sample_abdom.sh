#!/bin/sh
# sh /workspace/run_sample_abdom.sh INPUT OUTPUT
exec python3 -m reference_methods.cradl.predict sample abdom "$1" "$2"
