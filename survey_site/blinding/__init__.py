"""Can anything but the pixels tell the arms apart?"""
