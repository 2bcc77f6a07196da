"""What the sandbox remembers: posts, generations, connections, automations, tokens, its clock."""
