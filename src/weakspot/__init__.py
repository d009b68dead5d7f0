"""weakspot: the ZDDC training data pipeline."""

import os

# Before torch is loaded, which reads it once: a thread that waits by spinning takes the time of the thread it waits for
# as soon as another process works on the machine. What the user has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
