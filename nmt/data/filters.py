FILTERS = {"blank": None}
