"""Images of strangers: fetched, decoded and stored without trusting their addresses or their bytes.

addresses    which numbers on the internet are public
urls         what a URL says, or why it is refused
connections  connecting to checked addresses only, within one deadline
fetching     a URL's bytes
tiff_tags    the first directory of a TIFF file, which EXIF data are too
pixels       any of Pillow's modes as RGB or RGBA in sRGB
decoding     an image from bytes
encoding     an image as it is stored, and its thumbnail
"""
