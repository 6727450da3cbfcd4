"""What is wrong with an installation, and what to do about it: `c2c-stasis doctor`.

`examination.py` runs the checks, `checks/` holds one file for each, `patient.py` is what they may look at, `findings.py` what
they may say. A check asks and looks; it changes nothing, rings nothing, and may run beside a service with live calls.
"""
