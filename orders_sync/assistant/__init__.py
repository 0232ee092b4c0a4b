"""What an AI assistant may ask about the orders, by the Model Context Protocol: nothing that changes anything."""
