"""Fill the catalog database with a shop of any size: products, categories, tags, variants, stock and orders."""
