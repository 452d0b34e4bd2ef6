"""The entries that texts are matched against: building, reading and writing them."""
