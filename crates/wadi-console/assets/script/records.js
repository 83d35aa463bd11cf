// Records: searched, listed, one with its state, fields, and history.
