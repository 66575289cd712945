"""What the html page is made of: numbers, charts, tables, and the page around them."""
