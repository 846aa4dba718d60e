"""Other services that hold a listener's songs: one package each, behind one protocol."""
