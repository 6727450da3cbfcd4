"""May this call be placed: limits and regions, as pure rules."""
