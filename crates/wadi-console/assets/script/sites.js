// Sites: the board with its map, and each site with its contacts.
