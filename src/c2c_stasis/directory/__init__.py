"""Who may call whom from what: accounts, users, devices, extensions, numbers and dial strings."""
