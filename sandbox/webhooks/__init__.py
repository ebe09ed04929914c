"""What the merchant is told: the queue, its courier, and the archive in which it is looked up and sent again."""
