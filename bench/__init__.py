"""The same calls in four ways, measured: a bare script over ARI, AMI, stock asyncari, and the service."""
