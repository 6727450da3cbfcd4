"""The OpenAPI document, drawn from the route table, and the page that shows it to people."""
