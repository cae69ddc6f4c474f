#!/bin/sh
# sh /workspace/run_sample_brain.sh INPUT OUTPUT
exec python3 -m reference_methods.cradl.predict sample brain "$1" "$2"
