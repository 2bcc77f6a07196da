"""The state of the sandbox: posts, generations, connections, automations, tokens, its clock."""
