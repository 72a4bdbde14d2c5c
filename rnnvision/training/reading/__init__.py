"""Files that somebody else may have made: what is checked of a checkpoint before memory is asked for or it is used."""
